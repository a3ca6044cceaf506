/* Between the files that find, share and judge folders. */
#ifndef ANNULUS_LAUNCH_DOCTOR_STORAGE_H
#define ANNULUS_LAUNCH_DOCTOR_STORAGE_H

#include "doctor.h"

/* The nearest folder at or above `path` that exists, as a whole path without links. *exists: it is the path
   itself. False: what is nearest is no folder. */
bool doctor_nearest_folder(char *out, size_t size, const char *path, bool *exists);

#endif
