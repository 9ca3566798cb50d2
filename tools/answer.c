#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "json.h"
#include "output.h"

/* Columns that a terminal needs for UTF-8 text, each character taken as one wide. */
static int text_width(const char *text) {
  int width = 0;
  for (; *text != '\0'; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
  return width;
}

/* A name on one line whatever it holds. */
static void print_name(const char *name, int width) {
  for (const char *c = name; *c != '\0'; c++) putchar((unsigned char)*c < ' ' || *c == 127 ? ' ' : *c);
  printf("%*s", width > text_width(name) ? width - text_width(name) : 0, "");
}

static void print_coefficients(const answer *a, int64_t side) {
  int width = 0;
  for (int64_t j = 0; j < a->problem->n; j++) {
    int own = text_width(a->problem->names[j]);
    if (own > width) width = own;
  }
  for (int64_t j = 0; j < a->problem->n; j++) {
    char number[DECIMAL_TEXT];
    decimal_write(number, a->x[j * a->problem->k + side]);
    print_name(a->problem->names[j], width);
    printf("  %s%s\n", *number == '-' ? "" : " ", number);
  }
}

static const char *why_stopped(const lsqnet_report *report, double tolerance) {
  switch (report->stopped) {
    case LSQNET_STOP_CONVERGED:
      return tolerance > 0.0 ? "the tolerance is met" : "another correction would no longer change x";
    case LSQNET_STOP_STAGNATED: return "corrections stopped shrinking before the tolerance was met";
    case LSQNET_STOP_ITERATIONS: return "the limit of iterations or corrections was reached";
    case LSQNET_STOP_RANK: return "the columns depend on each other";
    case LSQNET_STOP_MODEL: return "the model's answers contradict the data";
    case LSQNET_STOP_UNREFINED: return "refinement was switched off";
    case LSQNET_STOP_DATA: return "the data cannot be solved";
    default: return "it did not start";
  }
}

static const char *ending(int64_t count) { return count == 1 ? "" : "s"; }

static void print_method(const answer *a, const lsqnet_report *r) {
  printf("Method %s, model %s: %lld model call%s, ", lsqnet_method_name(r->method), a->model, (long long)r->model_calls,
         ending(r->model_calls));
  if (r->iterations > 0) printf("%lld iteration%s, ", (long long)r->iterations, ending(r->iterations));
  printf("%lld correction%s. Stopped: %s.\n", (long long)r->corrections, ending(r->corrections),
         why_stopped(r, a->tolerance));
}

static void print_certificate(const answer *a, const lsqnet_report *r) {
  if (r->digits > 0.0) {
    printf("About %.1f digits are right in the worst coefficient.\n", r->digits);
  } else {
    printf("No digit of the worst coefficient is vouched for.\n");
  }
  printf("Backward error %.2g: x is exact for data that differ from these by at most that fraction of their size.\n",
         r->backward_error);
  if (r->condition > 0.0) {
    printf(
        "Condition number %.2g, columns scaled to unit size: x may change by that many times a change of the data.\n",
        r->condition);
  } else {
    printf("Condition number: not known with this method.\n");
  }
  printf("Residual norm %.10g, %lld rows, %lld unknown%s", r->residual_norm, (long long)a->problem->m,
         (long long)a->problem->n, ending(a->problem->n));
  if (r->rank >= 0) printf(", rank %lld", (long long)r->rank);
  printf(".\n");
  print_method(a, r);
}

int answer_print(const answer *a) {
  for (int64_t side = 0; side < a->problem->k; side++) {
    if (side > 0) printf("\n");
    if (a->problem->k > 1) {
      print_name(a->problem->sides[side], 0);
      printf(":\n");
    }
    print_coefficients(a, side);
    printf("\n");
    print_certificate(a, &a->reports[side]);
  }
  return output_flush_standard();
}

static json_t *coefficients_json(const answer *a, int64_t side) {
  json_t *x = json_array();
  for (int64_t j = 0; j < a->problem->n; j++) json_append(&x, json_number(a->x[j * a->problem->k + side]));
  return x;
}

static json_t *names_json(char *const *names, int64_t count) {
  json_t *array = json_array();
  for (int64_t j = 0; j < count; j++) json_append(&array, json_text(names[j]));
  return array;
}

static json_t *report_json(const answer *a, const lsqnet_report *r) {
  json_t *condition = r->condition > 0.0 ? json_number(r->condition) : json_null();
  json_t *rank = r->rank >= 0 ? json_integer(r->rank) : json_null();
  json_t *measures =
      json_pack("{s:o, s:o, s:o, s:o, s:o}", "backward_error", json_number(r->backward_error), "condition", condition,
                "digits", json_number(r->digits), "residual_norm", json_number(r->residual_norm), "rank", rank);
  json_t *work = json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:o}", "iterations", (json_int_t)r->iterations,
                           "corrections", (json_int_t)r->corrections, "model_calls", (json_int_t)r->model_calls,
                           "stopped", lsqnet_stop_name(r->stopped), "status", lsqnet_status_name(r->status), "method",
                           lsqnet_method_name(r->method), "model", json_text(a->model));
  if (measures != NULL && json_object_update(measures, work) != 0) {
    json_decref(measures);
    measures = NULL;
  }
  json_decref(work);
  return measures;
}

int answer_print_json(const answer *a) {
  const problem *p = a->problem;
  json_t *x = NULL, *report = NULL;
  if (p->k == 1) {
    x = coefficients_json(a, 0);
    report = report_json(a, a->reports);
  } else {
    x = json_array();
    report = json_array();
    for (int64_t side = 0; side < p->k; side++) {
      json_append(&x, coefficients_json(a, side));
      json_append(&report, report_json(a, &a->reports[side]));
    }
  }
  return json_print(json_pack("{s:o, s:o, s:o}", "names", names_json(p->names, p->n), "x", x, "report", report));
}
