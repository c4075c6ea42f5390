/* Means and confidence intervals over runs with different seeds.
 * Source: Student's t for the mean of n samples, t(0.975, n - 1) * s / sqrt(n); quantile by GSL. */
#include "results/results.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

struct fb_estimate fb_estimate_of(const double *values, uint32_t count)
{
    struct fb_estimate estimate = {.n = count};
    if (count == 0)
        return estimate;
    estimate.mean = gsl_stats_mean(values, 1, count);
    if (count < 2)
        return estimate;
    double deviation = gsl_stats_sd_m(values, 1, count, estimate.mean);
    estimate.ci95 = gsl_cdf_tdist_Pinv(0.975, count - 1) * deviation / sqrt(count);
    return estimate;
}
