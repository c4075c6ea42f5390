/* libforebay: reads files through the forebayd of this machine.
 *
 *     struct forebay_client *client;
 *     struct forebay_file *file;
 *     int code = forebay_client_open(NULL, &client);
 *     if (code == 0)
 *         code = forebay_file_open(client, "weights/layer-01.safetensors", &file);
 *     if (code == 0)
 *         code = (int)forebay_file_read(file, 0, bytes, forebay_file_size_bytes(file));
 *
 * Every function that can fail returns a negative errno value. A client and its files belong to one
 * thread at a time; several clients in one process are fine. Names are relative paths as the origin
 * knows them. */
#ifndef FOREBAY_H
#define FOREBAY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct forebay_client; /* a connection to the daemon */
struct forebay_file;   /* one version of an object; a changed object must be opened again */

/* Connects. socket_path: NULL: $FOREBAY_SOCKET, else /run/forebay/forebay.sock. The client is the
 * caller's, until forebay_client_close.
 * Errors: -ECONNREFUSED, -ENOENT: no daemon there; -EPROTO: a daemon of another version. */
int forebay_client_open(const char *socket_path, struct forebay_client **client);

/* Closes the connection and gives back what it holds. Files must be closed before. NULL: nothing.
 */
void forebay_client_close(struct forebay_client *client);

/* Facts about a name, as the origin knows it now. */
struct forebay_facts {
    uint64_t size_bytes;
    uint64_t version; /* changes when the object does */
    uint64_t block_size_bytes;
};

/* Errors: -ENOENT; -EINVAL: no fine name; -EIO: the origin failed; -EBUSY. */
int forebay_client_stat(struct forebay_client *client, const char *name,
                        struct forebay_facts *facts);

/* The daemon's state as lines "name value"; text is the caller's to free. Errors: -EBUSY. */
int forebay_client_status(struct forebay_client *client, char **text);

/* Opens the present version of an object. The file is the caller's, until forebay_file_close.
 * Errors: as forebay_client_stat; -EBUSY: too many open files. */
int forebay_file_open(struct forebay_client *client, const char *name, struct forebay_file **file);
void forebay_file_close(struct forebay_file *file);

uint64_t forebay_file_size_bytes(const struct forebay_file *file);

/* Reads up to size bytes from offset; returns how many: fewer only at the end of the file.
 * Waits; reads several blocks at once.
 * Errors: -ESTALE: the object changed at the origin: open it again; -EIO, -ETIMEDOUT, -EBADMSG
 * (bytes that do not match their digest), -EBUSY (after many tries), -ECONNRESET: the daemon
 * went. Bytes before the error may have been written. */
int64_t forebay_file_read(struct forebay_file *file, uint64_t offset, void *bytes, uint64_t size);

/* Blocks that forebay_file_read was answered with, by where they came from; source: below
 * FOREBAY_SOURCES. */
enum { FOREBAY_SOURCES = 10 };
const char *forebay_source_name(uint32_t source);
uint64_t forebay_file_source_blocks(const struct forebay_file *file, uint32_t source);

#ifdef __cplusplus
}
#endif

#endif
