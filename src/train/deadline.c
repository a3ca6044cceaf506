#include "train/deadline.h"

double anni_deadline_need_s(const anni_deadline_cost *cost) {
    const double cost_s =
        cost->measured_s >= 0 ? cost->measured_s : (double)cost->bytes / ANNI_DEADLINE_BYTES_PER_S;
    return ANNI_DEADLINE_SAFETY * cost_s + ANNI_DEADLINE_MARGIN_S;
}

bool anni_deadline_is_near(double left_s, double poll_s, const anni_deadline_cost *cost) {
    return left_s - poll_s < anni_deadline_need_s(cost);
}
