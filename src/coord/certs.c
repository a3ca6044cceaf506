/* Certificates of an own authority: P-256 keys, X.509 v3. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "coord/auth.h"
#include "coord/coord.h"
#include "coord/names.h"

enum { PATH_BYTES = 4096, ALT_BYTES = 8192 };

typedef struct identity {
    EVP_PKEY *key;
    X509 *crt;
} identity;

static void forget(identity *id) {
    X509_free(id->crt);
    EVP_PKEY_free(id->key);
    *id = (identity){0};
}

static ann_status crypto_error(const char *what) {
    char text[200];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return ann_error(ANN_ERR_INTERNAL, "%s: %s", what, text);
}

/* ---- files ---- */

/* A file that was not there, of this mode. */
static ann_status create(FILE **out, const char *dir, const char *name, const char *suffix, mode_t mode) {
    char path[PATH_BYTES];
    *out = NULL;
    if (snprintf(path, sizeof path, "%s/%s.%s", dir, name, suffix) >= (int)sizeof path)
        return ann_error(ANN_ERR_ARG, "the path of the state is too long");
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return ann_error(errno == EEXIST ? ANN_ERR_ARG : ANN_ERR_IO, "%s: %s", path, strerror(errno));
    *out = fdopen(fd, "w");
    if (*out) return ANN_OK;
    close(fd);
    return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

static ann_status finish(FILE *file, int good) {
    good = good && fflush(file) == 0 && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && good
               ? ANN_OK
               : ann_error(ANN_ERR_IO, "a certificate cannot be written: %s", strerror(errno));
}

static ann_status write_identity(const char *dir, const char *name, const identity *id) {
    FILE *file;
    ANN_TRY(create(&file, dir, name, "key", 0600));
    ANN_TRY(finish(file, PEM_write_PrivateKey(file, id->key, NULL, NULL, 0, NULL, NULL)));
    ANN_TRY(create(&file, dir, name, "crt", 0644));
    return finish(file, PEM_write_X509(file, id->crt));
}

static ann_status read_identity(identity *id, const char *dir, const char *name) {
    char path[PATH_BYTES];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s.key", dir, name);
    file = fopen(path, "re");
    if (!file) return ann_error(ANN_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    id->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    snprintf(path, sizeof path, "%s/%s.crt", dir, name);
    file = fopen(path, "re");
    if (!file) return ann_error(ANN_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    id->crt = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    return id->key && id->crt ? ANN_OK : crypto_error(path);
}

/* ---- certificates ---- */

/* A random number of 127 bits, so that no two are the same. */
static bool set_serial(X509 *crt) {
    BIGNUM *number = BN_new();
    const bool good = number && BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
                      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(crt));
    BN_free(number);
    return good;
}

static bool set_name(X509 *crt, const char *common_name) {
    X509_NAME *name = X509_get_subject_name(crt);
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Annulus", -1, -1, 0) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1,
                                      0);
}

static bool add_extension(X509 *crt, X509 *issuer, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, crt, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    const bool good = extension && X509_add_ext(crt, extension, -1);
    X509_EXTENSION_free(extension);
    return good;
}

/* What a certificate is for. */
typedef struct purpose {
    const char *constraints, *usage, *extended, *alt; /* extended, alt: may be NULL */
} purpose;

/* Fills id with a new key and a certificate that `issuer` signs (itself, if NULL). */
static bool sign(identity *id, const identity *issuer, const char *common_name, const purpose *p, int days) {
    if (!issuer) issuer = id;
    id->key = EVP_EC_gen("P-256");
    id->crt = X509_new();
    return id->key && id->crt && X509_set_version(id->crt, X509_VERSION_3) && set_serial(id->crt) &&
           X509_gmtime_adj(X509_getm_notBefore(id->crt), -300) && /* clocks differ */
           X509_time_adj_ex(X509_getm_notAfter(id->crt), days, 0, NULL) &&
           X509_set_pubkey(id->crt, id->key) && set_name(id->crt, common_name) &&
           X509_set_issuer_name(id->crt, X509_get_subject_name(issuer->crt)) &&
           add_extension(id->crt, issuer->crt, NID_basic_constraints, p->constraints) &&
           add_extension(id->crt, issuer->crt, NID_key_usage, p->usage) &&
           add_extension(id->crt, issuer->crt, NID_subject_key_identifier, "hash") &&
           (!p->extended || add_extension(id->crt, issuer->crt, NID_ext_key_usage, p->extended)) &&
           (!p->alt || add_extension(id->crt, issuer->crt, NID_subject_alt_name, p->alt)) &&
           X509_sign(id->crt, issuer->key, EVP_sha256()) > 0;
}

static ann_status make(const char *dir, const char *name, const identity *issuer, identity *out,
                       const purpose *p, int days) {
    identity id = {0};
    ann_status status = sign(&id, issuer, strcmp(name, "ca") == 0 ? "Annulus authority" : name, p, days)
                            ? write_identity(dir, name, &id)
                            : crypto_error("a certificate cannot be made");
    if (status == ANN_OK && out) *out = id;
    else forget(&id);
    return status;
}

/* "DNS:localhost,IP:127.0.0.1,..." of names that are checked. */
static ann_status alt_names(char alt[ALT_BYTES], const char *const *hosts, int count) {
    char own[256] = "";
    size_t used = (size_t)snprintf(alt, ALT_BYTES, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (gethostname(own, sizeof own - 1) == 0 && anni_name_check("host", own, false) == ANN_OK)
        used += (size_t)snprintf(alt + used, ALT_BYTES - used, ",DNS:%s", own);
    ann_error_clear();
    for (int i = 0; i < count; i++) {
        const bool number =
            hosts[i][0] &&
            (strspn(hosts[i], "0123456789.") == strlen(hosts[i]) ||
             (strchr(hosts[i], ':') && strspn(hosts[i], "0123456789abcdefABCDEF:.") == strlen(hosts[i])));
        if (!number) ANN_TRY(anni_name_check("host", hosts[i], false));
        used += (size_t)snprintf(alt + used, ALT_BYTES - used, ",%s:%s", number ? "IP" : "DNS", hosts[i]);
        if (used >= ALT_BYTES) return ann_error(ANN_ERR_ARG, "there are too many hosts");
    }
    return ANN_OK;
}

static ann_status make_client(const char *dir, const identity *ca, const char *name, bool control, int days) {
    const purpose p = {.constraints = "critical,CA:FALSE",
                       .usage = "critical,digitalSignature",
                       .extended = "clientAuth",
                       .alt = control ? "URI:" ANNI_ROLE_CONTROL : "URI:" ANNI_ROLE_OBSERVE};
    return make(dir, name, ca, NULL, &p, days);
}

static ann_status check_days(int days) {
    return days >= 0 && days <= 36500 ? ANN_OK
                                      : ann_error(ANN_ERR_ARG, "days is %d, accepted is 0 to 36500", days);
}

ann_status ann_coord_init(const char *dir, const char *const *hosts, int host_count, int days) {
    char alt[ALT_BYTES];
    const purpose authority = {.constraints = "critical,CA:TRUE,pathlen:0",
                               .usage = "critical,keyCertSign,cRLSign"};
    const purpose server = {.constraints = "critical,CA:FALSE",
                            .usage = "critical,digitalSignature",
                            .extended = "serverAuth",
                            .alt = alt};
    identity ca = {0};
    ANN_TRY(check_days(days));
    ANN_TRY(alt_names(alt, hosts, host_count));
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return ann_error(ANN_ERR_IO, "%s: %s", dir, strerror(errno));
    ANN_TRY(make(dir, "ca", NULL, &ca, &authority, days));
    ann_status status = make(dir, "server", &ca, NULL, &server, days);
    if (status == ANN_OK) status = make_client(dir, &ca, "control", true, days);
    if (status == ANN_OK) status = make_client(dir, &ca, "observe", false, days);
    forget(&ca);
    return status;
}

ann_status ann_coord_init_client(const char *dir, const char *name, bool control, int days) {
    identity ca = {0};
    ANN_TRY(check_days(days));
    ANN_TRY(anni_name_check("client", name, false));
    ann_status status = read_identity(&ca, dir, "ca");
    if (status == ANN_OK) status = make_client(dir, &ca, name, control, days);
    forget(&ca);
    return status;
}
