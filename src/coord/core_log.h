/* What gRPC itself complains about, such as handshakes that failed. */
#ifndef ANN_COORD_CORE_LOG_H
#define ANN_COORD_CORE_LOG_H

/* From now on it goes to the log, as warnings; the same text not more than once in a minute, since
   connections are tried again and again. For the whole process. */
void anni_core_log(void);

#endif
