/* Reads a file through the forebayd of this machine and writes it to standard output.
 * cc read.c $(pkg-config --cflags --libs forebay) -o read && ./read NAME >copy */
#include <forebay/forebay.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static char bytes[1 << 20];
    struct forebay_client *client;
    struct forebay_file *file;
    int code = argc == 2 ? forebay_client_open(NULL, &client) : -22;
    if (code != 0) {
        fprintf(stderr, "usage: read NAME, where forebayd runs: %s\n", strerror(-code));
        return 1;
    }
    code = forebay_file_open(client, argv[1], &file);
    if (code == 0) {
        int64_t count;
        for (uint64_t at = 0; (count = forebay_file_read(file, at, bytes, sizeof(bytes))) > 0;
             at += (uint64_t)count)
            fwrite(bytes, 1, (size_t)count, stdout);
        code = (int)count;
        forebay_file_close(file);
    }
    forebay_client_close(client);
    if (code != 0)
        fprintf(stderr, "%s: %s\n", argv[1], strerror(-code));
    return code != 0;
}
