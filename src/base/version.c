#include "base/version.h"
#include "annulus_build.h"

const char *ann_version(void) { return ANNI_VERSION; }
const char *ann_revision(void) { return ANNI_REVISION; }
