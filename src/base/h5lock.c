#include "base/h5lock.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void ann_h5_lock(void) { (void)pthread_mutex_lock(&lock); }
void ann_h5_unlock(void) { (void)pthread_mutex_unlock(&lock); }
