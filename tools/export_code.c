/* lsqnet export: everything but the weights. */
#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "error.h"
#include "export.h"

static const char *real_name(const export_model *e) { return e->options.dtype == LSQNET_F32 ? "float" : "double"; }

static int is_iterate(const export_model *e) { return e->step.output != LSQNET_OUTPUT_GRADIENT; }

static const char *libm_calls(const export_model *e) {
  static const char *const names[] = {"",     "exp",          "sqrt",          "exp and sqrt",
                                      "erfc", "exp and erfc", "sqrt and erfc", "exp, sqrt and erfc"};
  const int exps = (e->mixer == MIXER_ATTENTION && e->softmax) || e->options.mlp == LSQNET_MLP_GLU;
  return names[exps + 2 * e->norms + 4 * (e->options.mlp == LSQNET_MLP_GELU)];
}

enum { PRINT_MOST = 4096 };

void export_print(FILE *out, const export_model *e, const char *format, ...) {
  char text[PRINT_MOST];
  va_list values;
  va_start(values, format);
  const int length = vsnprintf(text, sizeof text, format, values);
  va_end(values);
  assert(length >= 0 && length < PRINT_MOST);
  (void)length;
  for (const char *c = text; *c != '\0'; c++)
    if (*c == '@')
      fprintf(out, "%s_", e->name);
    else
      fputc(*c, out);
}

/* The name of the model's file, in a comment. */
static void write_source(FILE *out, const export_model *e) {
  const char *slash = strrchr(e->source, '/');
  for (const char *c = slash == NULL ? e->source : slash + 1; *c != '\0'; c++)
    fputc(isalnum((unsigned char)*c) || strchr("._-+", *c) != NULL ? *c : '_', out);
}

static void write_about(FILE *out, const export_model *e) {
  const lsqnet_model_options *o = &e->options;
  fprintf(out, "/* %s: ", e->name);
  write_source(out, e);
  fprintf(out, ", written by lsqnet %s. C99, in one file: no memory is allocated, nothing is static but\n",
          lsqnet_version());
  fprintf(out, " * the weights, and %s%s. All names begin with %s_ or %s_.\n",
          e->calls_libm ? "of libm it calls only " : "it needs nothing but + and *", libm_calls(e), e->name, e->upper);
  fprintf(out,
          " *\n * With -ffp-contract=off and where FLT_EVAL_METHOD == 0 (no x87 arithmetic) its results are, bit for "
          "bit,\n");
  fprintf(out, " * those of the library on its kernel level \"generic\" of x86-64%s.\n",
          o->width > 192 ? ", but for roundings in products wider than 192" : "");
  fprintf(out, " *\n * Another file gets the declarations alone by\n *\n *   #define %s_DECLARATIONS\n", e->upper);
  fprintf(out, " *   #include \"%s.c\" */\n", e->name);
}

static void declare_forward(FILE *out, const export_model *e) {
  const char *real = real_name(e);
  export_print(
      out, e,
      "/* y (count,%lld) = model(x), x (rows,%lld): the rows first .. first+count-1 of the output of a sequence of\n",
      (long long)e->options.out_width, (long long)e->options.in_width);
  export_print(out, e, " * 1 to %s_ROWS rows. `work` holds %s_WORK numbers. Nothing is checked. */\n", e->upper,
               e->upper);
  export_print(out, e, "void %s_forward(int rows, int first, int count, const %s *x, %s *y, %s *work)", e->name, real,
               real, real);
}

static void declare_iterate(FILE *out, const export_model *e) {
  const char *real = real_name(e);
  const lsqnet_model_step *s = &e->step;
  export_print(out, e, "/* Solves A x = b by `steps` calls of the model, ");
  if (is_iterate(e))
    export_print(out, e, "each of which takes x to %s.\n",
                 s->output == LSQNET_OUTPUT_SOLUTION ? "the solution" : "the iterate that it was trained on");
  else
    export_print(out, e, "x <- x - step g(x) with its gradient g = A'(A x - b)/%lld.\n", (long long)s->rows);
  export_print(
      out, e,
      " * A (%lld,%lld) row-major, b (%lld), x (%lld) the start and the result; fewer equations or unknowns: zeros.\n",
      (long long)s->rows, (long long)s->dim, (long long)s->rows, (long long)s->dim);
  if (s->output == LSQNET_OUTPUT_ITERATE)
    export_print(out, e, " * An iterate is %lld of x <- x - %.17g A'(A x - b)/%lld: scale A so that these converge.\n",
                 (long long)s->iterates, s->step, (long long)s->rows);
  export_print(out, e, " * `work` holds %s_WORK numbers. */\n", e->upper);
  export_print(out, e, "void %s_iterate(const %s *a, const %s *b, %s%s%sint steps, %s *x, %s *work)", e->name, real,
               real, is_iterate(e) ? "" : real, is_iterate(e) ? "" : " step, ", "", real, real);
}

static void write_declarations(FILE *out, const export_model *e) {
  export_print(out, e, "#ifndef %s_H\n#define %s_H\n\n", e->upper, e->upper);
  export_print(out, e, "#define %s_ROWS %lld\n#define %s_WORK %lld\n\n", e->upper, (long long)e->options.rows, e->upper,
               (long long)e->work);
  export_print(out, e, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  declare_forward(out, e);
  export_print(out, e, ";\n");
  if (e->prompt_rows > 0) {
    export_print(out, e, "\n");
    declare_iterate(out, e);
    export_print(out, e, ";\n");
  }
  export_print(out, e, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n\n");
}

static void define_libm(FILE *out, const export_model *e) {
  const char *suffix = e->options.dtype == LSQNET_F32 ? "f" : "";
  if (!e->calls_libm) return;
  export_print(out, e, "#include <math.h>\n\n#define @EXP exp%s\n#define @SQRT sqrt%s\n#define @ERFC erfc%s\n", suffix,
               suffix, suffix);
  export_print(out, e, "#define @EPSILON 1e-5%s\n#define @SQRT_HALF 0.70710678118654752440%s\n\n", suffix, suffix);
}

static void define_sizes(FILE *out, const export_model *e) {
  const lsqnet_model_options *o = &e->options;
  const int64_t head = e->mixer == MIXER_ATTENTION ? o->width / e->heads : 1;
  export_print(out, e, "typedef %s @real;\n\nenum {\n", real_name(e));
  export_print(out, e, "  @MOST_ROWS = %lld, @IN = %lld, @OUT = %lld, @WIDTH = %lld,\n", (long long)o->rows,
               (long long)o->in_width, (long long)o->out_width, (long long)o->width);
  export_print(out, e, "  @CAUSAL = %d", e->causal);
  if (e->mixer == MIXER_ATTENTION)
    export_print(out, e, ", @HEADS = %lld, @HEAD = %lld", (long long)e->heads, (long long)head);
  if (e->mixer == MIXER_BASE_CONV) export_print(out, e, ", @CIRCULAR = %d", e->filter != FILTER_SHORT && !e->causal);
  if (o->mlp != LSQNET_MLP_NONE) export_print(out, e, ", @HIDDEN = %lld", (long long)(o->width * o->mlp_factor));
  export_print(out, e, "\n};\n\n");
  if (e->mixer != MIXER_ATTENTION) return;
  if (o->dtype == LSQNET_F32)
    export_print(out, e, "#define @SCALE %af /* 1 / sqrt(HEAD) */\n\n", (double)(1 / sqrtf((float)head)));
  else
    export_print(out, e, "#define @SCALE %a /* 1 / sqrt(HEAD) */\n\n", 1 / sqrt((double)head));
}

static void write_parts(FILE *out, const export_model *e) {
  static const char *const mixers[] = {part_attention, part_base_conv, part_identity};
  static const char *const mlps[] = {"", part_relu, part_gelu, part_glu};
  const int mlp = e->options.mlp;
  export_print(out, e, "%s\n", part_linear);
  if (e->norms) export_print(out, e, "%s\n", part_norm);
  if (e->options.layers == 0) return;
  if (e->mixer == MIXER_ATTENTION) export_print(out, e, "%s\n", e->softmax ? part_weigh_softmax : part_weigh_linear);
  export_print(out, e, "%s\n", mixers[e->mixer]);
  if (mlp != LSQNET_MLP_NONE) export_print(out, e, "%s%s\n", part_mlp, mlps[mlp]);
}

/* A field of a table of pointers, `.field = blocks_I_..., ` */
static void write_field(FILE *out, const export_model *e, int64_t block, const char *field, const char *parameter) {
  char name[EXPORT_TEXT];
  export_print(out, e, "  .%s = %s,\n", field, export_table(e, block, parameter, name));
}

static int write_mixer_weights(FILE *out, const export_model *e, int64_t block) {
  int64_t low = 0, high = 0;
  export_print(out, e, "static const @mixer_weights @mixer_%lld = {\n", (long long)block);
  if (e->mixer == MIXER_ATTENTION) {
    write_field(out, e, block, "qkv", "mixer.qkv.weight");
    write_field(out, e, block, "qkv_bias", "mixer.qkv.bias");
  } else if (e->mixer == MIXER_BASE_CONV) {
    if (export_lags(e, block, &low, &high) != CODE_DONE) return CODE_OTHER;
    write_field(out, e, block, "branch", "mixer.branch.weight");
    write_field(out, e, block, "gate", "mixer.gate.weight");
    write_field(out, e, block, "gate_bias", "mixer.gate.bias");
    write_field(out, e, block, "in", "mixer.in_proj.weight");
    write_field(out, e, block, "in_bias", "mixer.in_proj.bias");
    write_field(out, e, block, "filter_bias", "mixer.filter.bias");
    export_print(out, e, "  .filter = @blocks_%lld_mixer_filter,\n  .low = %lld,\n  .high = %lld,\n", (long long)block,
                 (long long)low, (long long)high);
  }
  if (e->mixer != MIXER_IDENTITY) {
    write_field(out, e, block, "out", "mixer.out_proj.weight");
    write_field(out, e, block, "out_bias", "mixer.out_proj.bias");
  } else {
    export_print(out, e, "  0\n");
  }
  export_print(out, e, "};\n\n");
  return CODE_DONE;
}

static void write_mlp_weights(FILE *out, const export_model *e, int64_t block) {
  export_print(out, e, "static const @mlp_weights @mlp_%lld = {\n", (long long)block);
  write_field(out, e, block, "up", "mlp.up.weight");
  write_field(out, e, block, "up_bias", "mlp.up.bias");
  write_field(out, e, block, "gate", "mlp.gate.weight");
  write_field(out, e, block, "value", "mlp.value.weight");
  write_field(out, e, block, "down", "mlp.down.weight");
  write_field(out, e, block, "down_bias", "mlp.down.bias");
  export_print(out, e, "};\n\n");
}

/* norm(rows, from, ...) into `spare` where the model has that LayerNorm; returns what comes out. */
static const char *write_norm(FILE *out, const export_model *e, int64_t block, const char *name, const char *rows,
                              const char *from) {
  char weight[EXPORT_TEXT], bias[EXPORT_TEXT], parameter[EXPORT_TEXT];
  snprintf(parameter, sizeof parameter, "%s.weight", name);
  const char *w = export_table(e, block, parameter, weight);
  snprintf(parameter, sizeof parameter, "%s.bias", name);
  const char *b = export_table(e, block, parameter, bias);
  if (strcmp(w, "0") == 0) return from;
  export_print(out, e, "  @norm(%s, %s, %s, %s, n);\n", rows, from, w, b);
  return "n";
}

/* A block takes the rows from `*u` and leaves its output in `*u` or, exchanging them, in `*v`. */
static void write_block(FILE *out, const export_model *e, int64_t block, const char **u, const char **v) {
  const int last = block == e->options.layers - 1, residual = e->options.residual;
  const char *count = last ? "count" : "rows", *x = write_norm(out, e, block, "norm_1", "rows", *u);
  export_print(out, e, "  @mix(&@mixer_%lld, rows, %s, %s, %s, %s, work);\n", (long long)block, last ? "first" : "0",
               count, x, *v);
  if (residual)
    export_print(out, e, "  @add(%s * @WIDTH, %s%s, %s);\n", count, *u, last ? " + first * @WIDTH" : "", *v);
  if (e->options.mlp == LSQNET_MLP_NONE) {
    const char *other = *u;
    *u = *v;
    *v = other;
    return;
  }
  x = write_norm(out, e, block, "norm_2", count, *v);
  export_print(out, e, "  @mlp(&@mlp_%lld, %s, %s, %s, work);\n", (long long)block, count, x, *u);
  if (residual) export_print(out, e, "  @add(%s * @WIDTH, %s, %s);\n", count, *v, *u);
}

static void write_forward(FILE *out, const export_model *e) {
  const char *u = "u", *v = "v";
  declare_forward(out, e);
  export_print(out, e, " {\n  @real *u = work, *v = u + @MOST_ROWS * @WIDTH");
  if (e->norms) export_print(out, e, ", *n = v + @MOST_ROWS * @WIDTH");
  export_print(out, e, ";\n  work = %s + @MOST_ROWS * @WIDTH;\n", e->norms ? "n" : "v");
  export_print(out, e, "  @linear(rows, @IN, @WIDTH, x, @read_in_weight, @read_in_bias, u);\n");
  export_print(out, e, "  @add(rows * @WIDTH, @positions_weight, u);\n");
  for (int64_t i = 0; i < e->options.layers; i++) write_block(out, e, i, &u, &v);
  if (e->options.layers == 0) u = "u + first * @WIDTH";
  u = write_norm(out, e, -1, "final_norm", "count", u);
  export_print(out, e, "  @linear(count, @WIDTH, @OUT, %s, @read_out_weight, @read_out_bias, y);\n  (void)work;\n}\n",
               u);
}

static void define_prompt(FILE *out, const export_model *e) {
  const lsqnet_model_step *s = &e->step;
  const int first = strcmp(s->prompt, "query_first") == 0, every = strcmp(s->prompt, "repeat") == 0;
  const int own = every || strcmp(s->prompt, "split") == 0;
  const int64_t last = e->prompt_rows - 1;
  export_print(out, e, "\nenum {\n  @EQUATIONS = %lld, @UNKNOWNS = %lld, @PROMPT_ROWS = %lld, @FIRST_EQUATION = %d,\n",
               (long long)s->rows, (long long)s->dim, (long long)e->prompt_rows, first);
  export_print(out, e, "  @FIRST_QUERY = %lld, @LAST_QUERY = %lld, @QUERY_CHANNEL = %lld\n};\n\n",
               (long long)(first || every ? 0 : last), (long long)(first ? 0 : last),
               (long long)(own ? s->dim + 1 : 0));
}

static void write_iterate(FILE *out, const export_model *e) {
  define_prompt(out, e);
  export_print(out, e, "%s\n", part_prompt);
  declare_iterate(out, e);
  export_print(
      out, e,
      " {\n  @real *prompt = work, *y = prompt + @PROMPT_ROWS * @IN;\n  int j;\n  for (; steps > 0; steps--) {\n");
  export_print(out, e, "    @fill(a, b, x, prompt);\n");
  export_print(out, e, "    %s_forward(@PROMPT_ROWS, @PROMPT_ROWS - 1, 1, prompt, y, y + @OUT);\n", e->name);
  export_print(out, e, "    for (j = 0; j < @UNKNOWNS; j++) x[j] %s;\n  }\n}\n",
               is_iterate(e) ? "= y[j]" : "-= step * y[j]");
}

int export_write_code(FILE *out, const export_model *e) {
  int code = CODE_DONE;
  write_about(out, e);
  write_declarations(out, e);
  export_print(out, e, "#ifndef %s_DECLARATIONS\n\n", e->upper);
  define_libm(out, e);
  define_sizes(out, e);
  TRY(export_write_tables(out, e));
  write_parts(out, e);
  for (int64_t i = 0; i < e->options.layers; i++) {
    TRY(write_mixer_weights(out, e, i));
    if (e->options.mlp != LSQNET_MLP_NONE) write_mlp_weights(out, e, i);
  }
  write_forward(out, e);
  if (e->prompt_rows > 0) write_iterate(out, e);
  export_print(out, e, "\n#endif\n");
done:
  return code;
}
