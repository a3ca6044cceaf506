/* The HDF5 library: which one, how it was built, whether it locks files. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "doctor.h"

static const char check[] = "HDF5";

void doctor_hdf5_find(doctor_hdf5_facts *f) {
    unsigned major = 0, minor = 0, release = 0;
    hbool_t safe = false;
    const char *locking = getenv("HDF5_USE_FILE_LOCKING");
    if (H5get_libversion(&major, &minor, &release) >= 0)
        snprintf(f->version, sizeof f->version, "%u.%u.%u", major, minor, release);
    snprintf(f->built, sizeof f->built, "%d.%d.%d", H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
    f->threadsafe = H5is_library_threadsafe(&safe) >= 0 && safe;
#ifdef H5_HAVE_PARALLEL
    f->parallel = true;
#endif
    doctor_copy(f->locking, sizeof f->locking, locking ? locking : "");
}

void doctor_hdf5_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++) {
        const doctor_hdf5_facts *f = &all[i].hdf5;
        doctor_say_rank(report, i, DOCTOR_OK, check, NULL,
                        "%s, %s build, %sthread-safe; HDF5_USE_FILE_LOCKING %s%s",
                        f->version[0] ? f->version : "unknown version", f->parallel ? "parallel" : "serial",
                        f->threadsafe ? "" : "not ", f->locking[0] ? "= " : "is not set", f->locking);
        if (f->version[0] && strcmp(f->version, f->built) != 0)
            doctor_say_rank(report, i, DOCTOR_WARNING, check, "build annulus again on this system",
                            "annulus was built with the headers of %s, and the library is %s", f->built,
                            f->version);
    }
}
