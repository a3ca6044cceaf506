/* gRPC in this process. */
#ifndef ANN_COORD_CORE_H
#define ANN_COORD_CORE_H

/* grpc_init; and what gRPC itself complains about, such as handshakes that failed, goes to the log from now
   on, as warnings, the same text not more than once in a minute, since connections are tried again and again.
   Abseil's check of the order of locks is switched off. For the whole process. */
void anni_core_begin(void);

#endif
