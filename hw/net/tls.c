/* See tls.h. */
#include "hw/net/tls.h"

#include "core/io.h"
#include "core/limits.h"
#include "core/panic.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fb_tls {
    SSL_CTX *context;
    char cluster[FB_CLUSTER_NAME_MAX];
};

struct fb_tls_session {
    const struct fb_tls *tls;
    SSL *ssl;
    BIO *from_wire, *to_wire; /* the SSL's */
    char reason[160];
};

static const char *error_text(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
    return text != NULL ? text : "unknown reason";
}

static void context_load(SSL_CTX *context, const struct fb_tls_settings *settings,
                         struct fb_error *error)
{
    if (SSL_CTX_use_certificate_chain_file(context, settings->certificate) != 1)
        fb_error_set(error, "tls.certificate %s: %s: give a PEM file, this node's certificate",
                     settings->certificate, error_text());
    else if (SSL_CTX_use_PrivateKey_file(context, settings->key, SSL_FILETYPE_PEM) != 1)
        fb_error_set(error, "tls.key %s: %s: give a PEM file, the key of tls.certificate",
                     settings->key, error_text());
    else if (SSL_CTX_check_private_key(context) != 1)
        fb_error_set(error, "tls.key %s does not belong to tls.certificate %s", settings->key,
                     settings->certificate);
    else if (SSL_CTX_load_verify_locations(context, settings->ca, NULL) != 1)
        fb_error_set(error, "tls.ca %s: %s: give a PEM file, the cluster's authority", settings->ca,
                     error_text());
}

static void node_name(const char *cluster, uint32_t node, char name[FB_TLS_NAME_MAX])
{
    FB_ASSERT(node != FB_NONE);
    int length = snprintf(name, FB_TLS_NAME_MAX, "node-%u.%s", node, cluster);
    FB_ASSERT(length > 0 && length < FB_TLS_NAME_MAX);
}

static bool has_name(X509 *certificate, const char *cluster, uint32_t node)
{
    char name[FB_TLS_NAME_MAX];
    node_name(cluster, node, name);
    return X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* "2026-11-30 23:17:51 UTC" */
static const char *moment_print(const ASN1_TIME *moment, char text[64])
{
    struct tm tm = {.tm_mday = 1};
    (void)ASN1_TIME_to_tm(moment, &tm);
    (void)strftime(text, 64, "%Y-%m-%d %H:%M:%S UTC", &tm);
    return text;
}

/* As the other side of a connection would look at it: X509_V_OK, or why not. */
static int own_verdict(SSL_CTX *context, const char *purpose)
{
    STACK_OF(X509) *chain = NULL;
    X509_STORE_CTX *look = X509_STORE_CTX_new();
    (void)SSL_CTX_get0_chain_certs(context, &chain);
    bool is_fine = look != NULL &&
                   X509_STORE_CTX_init(look, SSL_CTX_get_cert_store(context),
                                       SSL_CTX_get0_certificate(context), chain) == 1 &&
                   X509_STORE_CTX_set_default(look, purpose) == 1;
    int verdict = X509_V_ERR_OUT_OF_MEM;
    if (is_fine)
        verdict = X509_verify_cert(look) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(look);
    X509_STORE_CTX_free(look);
    return verdict;
}

static void own_check(SSL_CTX *context, const struct fb_tls_settings *settings, const char *cluster,
                      uint32_t node, struct fb_error *error)
{
    X509 *certificate = SSL_CTX_get0_certificate(context);
    char name[FB_TLS_NAME_MAX], first[64], last[64];
    int verdict = own_verdict(context, "ssl_server");
    if (verdict == X509_V_OK)
        verdict = own_verdict(context, "ssl_client");
    node_name(cluster, node, name);
    if (verdict != X509_V_OK)
        fb_error_set(error,
                     "tls.certificate %s: %s: no peer would let this node in; it is valid from %s "
                     "to %s: make one that tls.ca has signed, for clients and servers, as "
                     "hw/examples/certificates.sh does, or set this machine's clock",
                     settings->certificate, X509_verify_cert_error_string(verdict),
                     moment_print(X509_get0_notBefore(certificate), first),
                     moment_print(X509_get0_notAfter(certificate), last));
    else if (!has_name(certificate, cluster, node))
        fb_error_set(error,
                     "tls.certificate %s: it is not of the name %s, by which peers know this "
                     "node: give this node's own",
                     settings->certificate, name);
}

bool fb_tls_ends_soon(const struct fb_tls *tls, char text[FB_TLS_TEXT])
{
    enum { SOON_DAYS = 14 };
    const ASN1_TIME *end = X509_get0_notAfter(SSL_CTX_get0_certificate(tls->context));
    char last[64];
    int days = 0, seconds = 0;
    bool is_soon = ASN1_TIME_diff(&days, &seconds, NULL, end) == 1 && days < SOON_DAYS;
    snprintf(text, FB_TLS_TEXT,
             "it is valid until %s: in %d days no peer lets this node in: replace it",
             moment_print(end, last), days);
    return is_soon;
}

struct fb_tls *fb_tls_open(const struct fb_tls_settings *settings, const char *cluster,
                           uint32_t node, struct fb_error *error)
{
    FB_ASSERT(strlen(cluster) < FB_CLUSTER_NAME_MAX);
    if (settings->certificate[0] == '\0')
        return NULL;
    ERR_clear_error();
    struct fb_tls *tls = calloc(1, sizeof(*tls));
    SSL_CTX *context = tls != NULL ? SSL_CTX_new(TLS_method()) : NULL;
    if (context == NULL) {
        fb_error_set(error, "out of memory for TLS");
        free(tls);
        return NULL;
    }
    tls->context = context;
    memcpy(tls->cluster, cluster, strlen(cluster) + 1);
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    /* Each connection is checked anew: no tickets, no sessions to resume. */
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    context_load(context, settings, error);
    if (!fb_error_is_set(error))
        own_check(context, settings, cluster, node, error);
    if (fb_error_is_set(error)) {
        fb_tls_close(tls);
        return NULL;
    }
    return tls;
}

void fb_tls_close(struct fb_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

struct fb_tls_session *fb_tls_session_open(struct fb_tls *tls, uint32_t peer)
{
    struct fb_tls_session *session = calloc(1, sizeof(*session));
    char name[FB_TLS_NAME_MAX];
    if (session == NULL)
        return NULL;
    session->tls = tls;
    session->ssl = SSL_new(tls->context);
    session->from_wire = BIO_new(BIO_s_mem());
    session->to_wire = BIO_new(BIO_s_mem());
    if (session->ssl == NULL || session->from_wire == NULL || session->to_wire == NULL) {
        SSL_free(session->ssl);
        BIO_free(session->from_wire);
        BIO_free(session->to_wire);
        free(session);
        return NULL;
    }
    SSL_set_bio(session->ssl, session->from_wire, session->to_wire);
    if (peer == FB_NONE) {
        SSL_set_accept_state(session->ssl);
    } else {
        node_name(tls->cluster, peer, name);
        SSL_set_hostflags(session->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(session->ssl, name);
        SSL_set_connect_state(session->ssl);
    }
    return session;
}

void fb_tls_session_close(struct fb_tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    free(session);
}

bool fb_tls_feed(struct fb_tls_session *session, const void *bytes, uint32_t size)
{
    FB_ASSERT(size > 0);
    return BIO_write(session->from_wire, bytes, (int)size) == (int)size;
}

/* 0: it only wants more bytes; -1: it has failed, and now has a reason. */
static int32_t session_outcome(struct fb_tls_session *session, int result)
{
    int kind = SSL_get_error(session->ssl, result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        return 0;
    long verdict = SSL_get_verify_result(session->ssl);
    if (kind == SSL_ERROR_ZERO_RETURN)
        snprintf(session->reason, sizeof(session->reason), "closed by the peer");
    else if (verdict != X509_V_OK)
        snprintf(session->reason, sizeof(session->reason), "tls: the peer's certificate: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(session->reason, sizeof(session->reason), "tls: %s", error_text());
    return -1;
}

int32_t fb_tls_read(struct fb_tls_session *session, void *bytes, uint32_t size)
{
    FB_ASSERT(size > 0);
    if (session->reason[0] != '\0')
        return -1;
    ERR_clear_error();
    int result = SSL_read(session->ssl, bytes, (int)size);
    return result > 0 ? result : session_outcome(session, result);
}

bool fb_tls_is_ready(const struct fb_tls_session *session)
{
    return SSL_is_init_finished(session->ssl);
}

bool fb_tls_write(struct fb_tls_session *session, const void *bytes, uint32_t size)
{
    FB_ASSERT(fb_tls_is_ready(session));
    ERR_clear_error();
    int result = SSL_write(session->ssl, bytes, (int)size); /* memory takes all of it */
    if (result == (int)size)
        return true;
    (void)session_outcome(session, result);
    return false;
}

uint32_t fb_tls_take(struct fb_tls_session *session, void *bytes, uint32_t size)
{
    if (!fb_tls_is_ready(session) && session->reason[0] == '\0') {
        ERR_clear_error();
        int result = SSL_do_handshake(session->ssl);
        if (result != 1)
            (void)session_outcome(session, result);
    }
    int taken = BIO_read(session->to_wire, bytes, (int)size);
    return taken > 0 ? (uint32_t)taken : 0;
}

bool fb_tls_is_node(const struct fb_tls_session *session, uint32_t node)
{
    X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    return certificate != NULL && has_name(certificate, session->tls->cluster, node);
}

const char *fb_tls_reason(const struct fb_tls_session *session)
{
    return session->reason[0] != '\0' ? session->reason : "tls: no failure";
}
