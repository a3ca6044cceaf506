/* Facts of a job in which nothing is wrong, for tests that spoil one of them. */
#ifndef ANN_TESTS_LAUNCH_DOCTOR_SAMPLE_H
#define ANN_TESTS_LAUNCH_DOCTOR_SAMPLE_H

#include "launch/doctor/doctor.h"

enum { SAMPLE_RANKS = 6 };
/* Ranks 0 and 1 on host a, 2 and 3 on b, 4 and 5 on c, with two processors each, on Slurm, with a run file.
 */
void sample_facts(doctor_facts all[SAMPLE_RANKS]);

#endif
