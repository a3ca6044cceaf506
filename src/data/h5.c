#include "data/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/h5lock.h"
#include "base/h5probe.h"

void anni_h5_begin(anni_h5_printing *before) {
    ann_h5_lock();
    *before = (anni_h5_printing){NULL, NULL};
    H5Eget_auto2(H5E_DEFAULT, &before->print, &before->to);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void anni_h5_end(const anni_h5_printing *before) {
    H5Eset_auto2(H5E_DEFAULT, before->print, before->to);
    ann_h5_unlock();
}

typedef struct description {
    char text[512];
} description;

static herr_t keep_description(unsigned n, const H5E_error2_t *error, void *out) {
    if (n == 0 && error->desc != NULL) {
        description *to = out;
        snprintf(to->text, sizeof to->text, "%s", error->desc);
        for (char *c = to->text; *c != '\0'; c++) {
            if (*c == '\n' || *c == '\r') *c = ' ';
        }
    }
    return 0;
}

/* The file driver gives the cause as "errno = NUMBER, ...". */
static bool is_full(const char *text) {
    const char *cause = strstr(text, "errno = ");
    int number = 0;
    return cause != NULL && sscanf(cause, "errno = %d", &number) == 1 &&
           (number == ENOSPC || number == EDQUOT || number == EFBIG);
}

ann_status anni_h5_error(ann_status status, const char *fmt, ...) {
    char text[480];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    description innermost = {{0}};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_description, &innermost);
    H5Eclear2(H5E_DEFAULT);
    if (innermost.text[0] == '\0') return ann_error(status, "%s", text);
    return ann_error(is_full(innermost.text) ? ANN_ERR_NOSPACE : status, "%s: %s", text, innermost.text);
}

/* Says in the system's words what HDF5 would say in its own. */
static ann_status check_file(const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const ann_status status = errno == ENOENT || errno == ENOTDIR ? ANN_ERR_NOT_FOUND : ANN_ERR_IO;
        return ann_error(status, "%s: %s", path, strerror(errno));
    }
    struct stat info;
    const int failed = fstat(fd, &info);
    const int cause = errno;
    close(fd);
    if (failed != 0) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(cause));
    if (S_ISDIR(info.st_mode)) return ann_error(ANN_ERR_IO, "%s: is a directory", path);
    if (!S_ISREG(info.st_mode)) return ann_error(ANN_ERR_IO, "%s: is not a regular file", path);
    if (info.st_size == 0) return ann_error(ANN_ERR_FORMAT, "%s: is empty", path);
    return ANN_OK;
}

void anni_h5_plain_name(char *name) {
    char *to = name;
    for (; *name != '\0'; name++) {
        *to++ = *name;
        if (name[0] == '%' && name[1] == '%') name++;
    }
    *to = '\0';
}

ann_status anni_h5_open(hid_t *out, const char *path) {
    *out = H5I_INVALID_HID;
    ANN_TRY(check_file(path));
    const htri_t is_hdf5 = H5Fis_hdf5(path);
    if (is_hdf5 < 0) return anni_h5_error(ANN_ERR_IO, "%s", path);
    if (is_hdf5 == 0) return ann_error(ANN_ERR_FORMAT, "%s: is not an HDF5 file", path);
    ANN_TRY(anni_h5_probe(path));
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return anni_h5_error(ANN_ERR_MEMORY, "%s", path);
    /* Read-only mounts and some parallel file systems know no locks. */
    H5Pset_file_locking(access, true, true);
    *out = H5Fopen(path, H5F_ACC_RDONLY, access);
    const ann_status status =
        *out >= 0 ? ANN_OK : anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened as HDF5", path);
    H5Pclose(access);
    return status;
}

/* *out is H5I_INVALID_HID if there is no such attribute. */
static ann_status open_attribute(hid_t *out, hid_t object, const char *name, const char *where) {
    *out = H5I_INVALID_HID;
    const htri_t exists = H5Aexists(object, name);
    if (exists == 0) return ANN_OK;
    if (exists > 0) *out = H5Aopen(object, name, H5P_DEFAULT);
    if (*out < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" cannot be read", where, name);
    return ANN_OK;
}

static int64_t attribute_elems(hid_t attribute) {
    const hid_t space = H5Aget_space(attribute);
    if (space < 0) return -1;
    const int64_t elems = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    return elems;
}

static H5T_class_t attribute_class(hid_t attribute) {
    const hid_t type = H5Aget_type(attribute);
    if (type < 0) return H5T_NO_CLASS;
    const H5T_class_t class = H5Tget_class(type);
    H5Tclose(type);
    return class;
}

static ann_status get_number(void *out, bool *found, hid_t object, const char *name, const char *where,
                             hid_t type) {
    *found = false;
    hid_t attribute;
    ANN_TRY(open_attribute(&attribute, object, name, where));
    if (attribute < 0) return ANN_OK;
    const H5T_class_t class = attribute_class(attribute);
    const bool is_number = class == H5T_INTEGER || (class == H5T_FLOAT && H5Tget_class(type) == H5T_FLOAT);
    ann_status status = ANN_OK;
    if (!is_number || attribute_elems(attribute) != 1) {
        status = ann_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" is not one %s", where, name,
                           H5Tget_class(type) == H5T_FLOAT ? "number" : "integer");
    } else if (H5Aread(attribute, type, out) < 0) {
        status = anni_h5_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" cannot be read", where, name);
    }
    H5Aclose(attribute);
    *found = status == ANN_OK;
    return status;
}

ann_status anni_h5_get_double(double *out, bool *found, hid_t object, const char *name, const char *where) {
    return get_number(out, found, object, name, where, H5T_NATIVE_DOUBLE);
}

ann_status anni_h5_get_u64(uint64_t *out, bool *found, hid_t object, const char *name, const char *where) {
    return get_number(out, found, object, name, where, H5T_NATIVE_UINT64);
}

ann_status anni_h5_get_doubles(double **out, int *count, hid_t object, const char *name, const char *where,
                               ann_arena *arena) {
    *out = NULL;
    *count = 0;
    hid_t attribute;
    ANN_TRY(open_attribute(&attribute, object, name, where));
    if (attribute < 0) return ANN_OK;
    const H5T_class_t class = attribute_class(attribute);
    const int64_t n = attribute_elems(attribute);
    ann_status status = ANN_OK;
    if ((class != H5T_INTEGER && class != H5T_FLOAT) || n < 1 || n > 1 << 20) {
        status = ann_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" is not one number, or several", where, name);
    } else if ((*out = ann_arena_alloc(arena, (size_t)n * sizeof **out)) == NULL) {
        status = ann_error(ANN_ERR_MEMORY, "%s: out of memory", where);
    } else if (H5Aread(attribute, H5T_NATIVE_DOUBLE, *out) < 0) {
        status = anni_h5_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" cannot be read", where, name);
    }
    H5Aclose(attribute);
    if (status == ANN_OK) *count = (int)n;
    return status;
}

static char **read_variable_strings(hid_t attribute, hid_t type, int64_t n, ann_arena *arena) {
    char **strings = ann_arena_alloc(arena, (size_t)n * sizeof *strings);
    char **raw = ann_arena_alloc(arena, (size_t)n * sizeof *raw);
    if (strings == NULL || raw == NULL || H5Aread(attribute, type, raw) < 0) return NULL;
    bool complete = true;
    for (int64_t i = 0; i < n; i++) {
        strings[i] = ann_arena_strdup(arena, raw[i] == NULL ? "" : raw[i]);
        complete = complete && strings[i] != NULL;
    }
    const hid_t space = H5Aget_space(attribute);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    H5Sclose(space);
    return complete ? strings : NULL;
}

static char **read_fixed_strings(hid_t attribute, hid_t type, int64_t n, ann_arena *arena) {
    const size_t bytes = H5Tget_size(type);
    char **strings = ann_arena_alloc(arena, (size_t)n * sizeof *strings);
    char *raw = ann_arena_alloc(arena, (size_t)n * bytes);
    if (strings == NULL || raw == NULL || H5Aread(attribute, type, raw) < 0) return NULL;
    for (int64_t i = 0; i < n; i++) {
        strings[i] = ann_arena_alloc(arena, bytes + 1);
        if (strings[i] == NULL) return NULL;
        memcpy(strings[i], raw + (size_t)i * bytes, bytes);
    }
    return strings;
}

ann_status anni_h5_get_strings(char ***out, int *count, hid_t object, const char *name, const char *where,
                               ann_arena *arena) {
    *out = NULL;
    *count = 0;
    hid_t attribute;
    ANN_TRY(open_attribute(&attribute, object, name, where));
    if (attribute < 0) return ANN_OK;
    const int64_t n = attribute_elems(attribute);
    ann_status status = ANN_OK;
    if (attribute_class(attribute) != H5T_STRING || n < 1 || n > INT_MAX) {
        status = ann_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" does not hold strings", where, name);
    } else {
        const hid_t type = H5Aget_type(attribute);
        *out = H5Tis_variable_str(type) > 0 ? read_variable_strings(attribute, type, n, arena)
                                            : read_fixed_strings(attribute, type, n, arena);
        if (*out == NULL) {
            status = anni_h5_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" cannot be read", where, name);
        }
        H5Tclose(type);
    }
    H5Aclose(attribute);
    if (status == ANN_OK) *count = (int)n;
    return status;
}

static ann_status put(hid_t object, const char *name, hid_t type, hid_t space, const void *value,
                      const char *where) {
    const hid_t attribute = H5Aexists(object, name) > 0
                                ? H5Aopen(object, name, H5P_DEFAULT)
                                : H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    ann_status status = ANN_OK;
    if (!written) status = anni_h5_error(ANN_ERR_IO, "%s: cannot write attribute \"%s\"", where, name);
    if (attribute >= 0 && H5Aclose(attribute) < 0 && written) {
        status = anni_h5_error(ANN_ERR_IO, "%s: cannot write attribute \"%s\"", where, name);
    }
    return status;
}

static ann_status put_scalar(hid_t object, const char *name, hid_t type, const void *value,
                             const char *where) {
    const hid_t space = H5Screate(H5S_SCALAR);
    if (space < 0) return anni_h5_error(ANN_ERR_MEMORY, "%s", where);
    const ann_status status = put(object, name, type, space, value, where);
    H5Sclose(space);
    return status;
}

ann_status anni_h5_put_double(hid_t object, const char *name, double value, const char *where) {
    return put_scalar(object, name, H5T_NATIVE_DOUBLE, &value, where);
}

ann_status anni_h5_put_u64(hid_t object, const char *name, uint64_t value, const char *where) {
    return put_scalar(object, name, H5T_NATIVE_UINT64, &value, where);
}

/* values[0..n) side by side, each padded with zeros to `width` bytes. */
static ann_status put_padded(hid_t object, const char *name, const char *const *values, int n, size_t width,
                             hid_t space, const char *where) {
    char *padded = calloc((size_t)n, width);
    const hid_t type = H5Tcopy(H5T_C_S1);
    ann_status status;
    if (padded == NULL || type < 0 || H5Tset_size(type, width) < 0 ||
        H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
        status = anni_h5_error(ANN_ERR_MEMORY, "%s", where);
    } else {
        for (int i = 0; i < n; i++) memcpy(padded + (size_t)i * width, values[i], strlen(values[i]));
        status = put(object, name, type, space, padded, where);
    }
    if (type >= 0) H5Tclose(type);
    free(padded);
    return status;
}

ann_status anni_h5_put_strings(hid_t object, const char *name, const char *const *values, int count,
                               const char *where) {
    const hsize_t dim = (hsize_t)count;
    const int n = count == 0 ? 1 : count;
    size_t width = 1;
    for (int i = 0; i < n; i++) width = strlen(values[i]) > width ? strlen(values[i]) : width;
    const hid_t space = count == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &dim, NULL);
    if (space < 0) return anni_h5_error(ANN_ERR_MEMORY, "%s", where);
    const ann_status status = put_padded(object, name, values, n, width, space, where);
    H5Sclose(space);
    return status;
}
