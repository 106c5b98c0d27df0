/* apps/compare/compare_page.h: what the tables of a comparison's page share. Each function prints a piece of HTML. */
#ifndef BITUNE_APPS_COMPARE_PAGE_H
#define BITUNE_APPS_COMPARE_PAGE_H

#include <stdio.h>

#include "compare/compare.h"

struct BtPage {
  const BtCompare *all;
  FILE *out;
  int figures, tables; /* numbered so far */
};

/* Text with <, >, & and quotes as entities. */
void bt_page_text(FILE *out, const char *text);
/* 3.2e-06 as 3.2·10⁻⁶, large numbers in groups of three; a dash for what is not finite. */
void bt_page_number(FILE *out, double x, int digits);
/* A share as a percentage; below a thousandth of a percent nobody asks how much. */
void bt_page_percent(FILE *out, double share);
/* The line that a method has in the plots. */
void bt_page_swatch(FILE *out, size_t method);
/* Up to the caption, which is HTML. */
void bt_page_table(BtPage *p, const char *caption);

#endif
