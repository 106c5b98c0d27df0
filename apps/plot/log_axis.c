#include "plot/log_axis.h"

#include <math.h>

#define EVEN_SPAN 2.5     /* hi / lo below which tics are evenly spaced                       */
#define FEW_DECADES 100.0 /* likewise below which powers of ten alone might be fewer than two */
#define SPACE 1.4         /* letters between two labels                                       */
#define MOST_TICS 24

/* Multiples of 1, 2 or 5 times a power of ten, three to seven of them. */
static void put_even_tics(FILE *out, double lo, double hi) {
  static const double steps[] = {1, 2, 5, 10};
  const double power = pow(10, floor(log10((hi - lo) / 4)));
  double step = power;
  for (int k = 0; k < 4 && (hi - lo) / step > 7; k++) step = steps[k] * power;
  int count = 0;
  for (double k = ceil(lo / step); k * step <= hi; k++)
    (void)fprintf(out, "%s%.10g", count++ ? ", " : "", k * step);
}

static double label_width(double x) {
  char text[32];
  return snprintf(text, sizeof text, "%g", x);
}

/* Whether a label fits between those there; decade: letters that one is long. */
static int has_room(const double *tics, int count, double x, double decade) {
  for (int i = 0; i < count; i++) {
    const double apart = fabs(log10(x / tics[i])) * decade;
    if (apart < 0.5 * (label_width(x) + label_width(tics[i])) + SPACE) return 0;
  }
  return 1;
}

/* Tics at powers of ten and, as far as their labels have room, at multiples of these, round ones first. */
static void put_log_tics(FILE *out, double lo, double hi, double letters) {
  static const double steps[] = {1, 2, 5, 3, 7, 1.5, 6, 4, 8, 9};
  double tics[MOST_TICS];
  int count = 0;
  for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
    for (int power = (int)floor(log10(lo)); power <= (int)ceil(log10(hi)); power++) {
      const double x = steps[k] * pow(10, power);
      if (x < lo || x > hi || count == MOST_TICS || !has_room(tics, count, x, letters / log10(hi / lo)))
        continue;
      (void)fprintf(out, "%s%.10g", count ? ", " : "", x);
      tics[count++] = x;
    }
}

void bt_plot_log_axis(FILE *out, const char *axis, double lo, double hi, double letters) {
  (void)fprintf(out, "set logscale %s\nset %srange [%.12g:%.12g]\n", axis, axis, lo, hi);
  if (hi / lo > FEW_DECADES) {
    (void)fprintf(out, "set %stics autofreq\nset format %s '10^{%%T}'\n", axis, axis);
    return;
  }
  (void)fprintf(out, "set format %s '%%g'\nset %stics (", axis, axis);
  if (hi / lo < EVEN_SPAN)
    put_even_tics(out, lo, hi);
  else
    put_log_tics(out, lo, hi, letters);
  (void)fputs(")\n", out);
}
