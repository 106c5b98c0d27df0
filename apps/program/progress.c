#include "program/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"

#define REDRAW_SECONDS 0.1
#define LINE_LIMIT 512
#define BAR_LIMIT 40

void bt_progress_init(BtProgress *progress, int enabled) {
  memset(progress, 0, sizeof *progress);
  progress->enabled = enabled;
}

/* "0:07", "12:34", "3:04:05" */
static const char *duration_text(double seconds, char *text, size_t size) {
  const long s = seconds < 0 || !(seconds < 1e8) ? 0 : lround(seconds);
  if (s >= 3600)
    snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else
    snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
  return text;
}

static size_t terminal_width(void) {
  struct winsize window;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col < 20) return 80;
  return window.ws_col < LINE_LIMIT ? window.ws_col : LINE_LIMIT;
}

/* Time left, judged by the pace since this unit began; -1 while unknown. */
static double time_left(const BtProgress *p, double now) {
  const double gained = p->progress.done - p->progress_first;
  const double left = p->progress.total - p->progress.done;
  return gained > 0 && left > 0 ? (now - p->progress_start) / gained * left : -1;
}

/* "images [#####.....]  50%  5/10  0:12 left" */
static void format_bar(const BtProgress *p, double now, size_t width, char *line, size_t size) {
  const BtProgressEvent *e = &p->progress;
  char left[48] = "", bar[BAR_LIMIT + 4] = "";
  char time[24];
  if (!(e->total > 0)) {
    snprintf(line, size, "%s  %.0f  %s", e->unit, e->done,
             duration_text(now - p->progress_start, time, sizeof time));
    return;
  }
  const double share = e->done < e->total ? e->done / e->total : 1;
  const double seconds = time_left(p, now);
  if (seconds >= 0) snprintf(left, sizeof left, "  %s left", duration_text(seconds, time, sizeof time));

  const int text =
      snprintf(NULL, 0, "%s  %3.0f%%  %.0f/%.0f%s", e->unit, 100 * share, e->done, e->total, left);
  const int room = (int)width - text - 5;
  const int cells = room < BAR_LIMIT ? room : BAR_LIMIT;
  if (cells >= 8) {
    const int full = (int)(share * cells);
    bar[0] = ' ', bar[1] = '[';
    memset(bar + 2, '#', (size_t)full);
    memset(bar + 2 + full, '.', (size_t)(cells - full));
    bar[cells + 2] = ']';
    bar[cells + 3] = '\0';
  }
  snprintf(line, size, "%s%s  %3.0f%%  %.0f/%.0f%s", e->unit, bar, 100 * share, e->done, e->total, left);
}

/* "iteration 12  loss 0.01234 in [0.0123, 0.01239]  |z| 2e-05  1:02  work 123456  eps 1e-03  delta 1e-04";
 * what matters least stands last, where a narrow terminal cuts it off. */
static void format_outer(const BtProgress *p, double now, char *line, size_t size) {
  const BtOuterEvent *e = &p->outer;
  char time[24], left[48] = "", left_time[24], norm[24] = "";
  if (!isnan(e->gradient_norm)) snprintf(norm, sizeof norm, "  |z| %.1e", e->gradient_norm);
  const double seconds = p->has_progress && p->progress.total > 0 ? time_left(p, now) : -1;
  if (seconds >= 0)
    snprintf(left, sizeof left, ", at most %s left", duration_text(seconds, left_time, sizeof left_time));
  snprintf(line, size, "iteration %lld  loss %.6g in [%.6g, %.6g]%s  %s%s  work %lld  eps %.1e  delta %.1e",
           (long long)e->iteration, e->value, e->lower, e->upper, norm,
           duration_text(e->seconds, time, sizeof time), left, (long long)bt_work_total(&e->work), e->eps,
           e->delta);
}

/* "iteration 120/2000  loss -28.41 (batch -27.9)  12:30 left  |z| 2e-01  step 1e-02  1:02  work 123456" */
static void format_stochastic(const BtProgress *p, double now, char *line, size_t size) {
  const BtOuterEvent *e = &p->outer;
  char time[24], left[48] = "", left_time[24];
  const double gained = (double)(e->iteration - p->outer_first), ahead = (double)(e->planned - e->iteration);
  if (gained > 0 && ahead > 0)
    snprintf(left, sizeof left, "  %s left",
             duration_text((now - p->outer_start) / gained * ahead, left_time, sizeof left_time));
  snprintf(line, size, "iteration %lld/%lld  loss %.5g (batch %.5g)%s  |z| %.1e  step %.1e  %s  work %lld",
           (long long)e->iteration, (long long)e->planned, e->value_mean, e->value, left, e->gradient_norm,
           e->step, duration_text(e->seconds, time, sizeof time), (long long)bt_work_total(&e->work));
}

/* "epoch 3/12  step 420/1200  loss 0.1234  valid 0.1311  0:12 left  step size 1e-02" */
static void format_training(const BtProgress *p, double now, char *line, size_t size) {
  const BtTrainingEvent *e = &p->training;
  char left[48] = "", left_time[24], valid[32] = "", trial[48] = "";
  const double gained = (double)(e->step - p->outer_first), ahead = (double)(e->steps - e->step);
  if (gained > 0 && ahead > 0)
    snprintf(left, sizeof left, "  %s left",
             duration_text((now - p->outer_start) / gained * ahead, left_time, sizeof left_time));
  if (!isnan(p->valid_loss)) snprintf(valid, sizeof valid, "  valid %.4g", p->valid_loss);
  if (p->has_progress)
    snprintf(trial, sizeof trial, "%s %.0f/%.0f  ", p->progress.unit, p->progress.done, p->progress.total);
  snprintf(line, size, "%sepoch %lld/%lld  step %lld/%lld  loss %.4g%s%s  step size %.1e",
           trial, (long long)(e->step < e->steps ? e->epoch + 1 : e->epoch), (long long)e->epochs,
           (long long)e->step, (long long)e->steps, e->train_loss, valid, left, e->rate);
}

static void draw(BtProgress *p) {
  char line[LINE_LIMIT];
  const double now = bt_clock();
  if (p->shown && now - p->last_draw < REDRAW_SECONDS) return;
  /* The last column stays free: writing into it makes some terminals wrap. */
  const size_t width = terminal_width() - 1;
  if (p->has_training)
    format_training(p, now, line, sizeof line);
  else if (p->has_outer && p->outer.stochastic)
    format_stochastic(p, now, line, sizeof line);
  else if (p->has_outer)
    format_outer(p, now, line, sizeof line);
  else
    format_bar(p, now, width, line, sizeof line);
  (void)fprintf(stderr, "\r%.*s\033[K", (int)width, line);
  (void)fflush(stderr);
  p->shown = 1;
  p->last_draw = now;
}

void bt_progress_clear(BtProgress *progress) {
  if (!progress->shown) return;
  (void)fputs("\r\033[K", stderr);
  (void)fflush(stderr);
  progress->shown = 0;
}

static void take_progress(BtProgress *p, const BtProgressEvent *e) {
  if (!p->has_progress || strcmp(p->progress.unit, e->unit) != 0 || e->done < p->progress.done) {
    p->progress_start = bt_clock();
    p->progress_first = e->done;
  }
  p->progress = *e;
  p->has_progress = 1;
}

static void take_training(BtProgress *p, const BtTrainingEvent *e) {
  if (!p->has_training || e->step < p->training.step) {
    p->outer_start = bt_clock();
    p->outer_first = e->step;
    p->valid_loss = (double)NAN;
  }
  p->training = *e;
  p->training.hyper = NULL;
  p->has_training = 1;
  if (e->moment == BT_TRAINED_EPOCH) p->valid_loss = e->valid_loss;
}

int bt_progress_event(void *user, const BtEvent *event) {
  BtProgress *p = user;
  if (!p->enabled || event->type == BT_EVENT_WARNING) return 0;
  if (event->type == BT_EVENT_OUTER) {
    if (!p->has_outer) {
      p->outer_start = bt_clock();
      p->outer_first = event->as.outer.iteration;
    }
    p->outer = event->as.outer;
    p->outer.theta = NULL;
    p->has_outer = 1;
  } else if (event->type == BT_EVENT_TRAINING) {
    take_training(p, &event->as.training);
  } else {
    take_progress(p, &event->as.progress);
  }
  draw(p);
  return 0;
}
