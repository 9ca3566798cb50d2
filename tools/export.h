/* A model as one C file: what export.c finds out, and what export_tables.c and export_code.c write of it. */
#ifndef TOOLS_EXPORT_H
#define TOOLS_EXPORT_H

#include <lsqnet/lsqnet.h>
#include <stdio.h>

/* Pieces of the file that are the same for every model (export/NAME.part, by way of text.c). */
extern const char part_linear[], part_norm[], part_weigh_linear[], part_weigh_softmax[], part_attention[],
    part_base_conv[], part_identity[], part_mlp[], part_relu[], part_gelu[], part_glu[], part_prompt[];

typedef enum { MIXER_ATTENTION, MIXER_BASE_CONV, MIXER_IDENTITY } export_mixer;
typedef enum { FILTER_SHORT, FILTER_LONG, FILTER_IMPLICIT } export_filter;

enum { EXPORT_NAME_MOST = 64 };

typedef struct {
  const lsqnet_model *model;
  const char *source;          /* as the command line names the model */
  char name[EXPORT_NAME_MOST]; /* what the file's own names begin with */
  char upper[EXPORT_NAME_MOST];
  lsqnet_model_options options;
  lsqnet_model_step step;
  export_mixer mixer;
  export_filter filter; /* base_conv's */
  int64_t heads;        /* attention's */
  int64_t shifted;      /* base_conv's */
  int causal, softmax;
  int norms, calls_libm; /* whether there are LayerNorms; whether it needs more than + and * */
  int64_t prompt_rows;   /* 0: the model takes no step */
  int64_t work;          /* numbers that a call needs to work in */
} export_model;

/* The least and the largest lag of the filter in block `block`. */
int export_lags(const export_model *e, int64_t block, int64_t *low, int64_t *high);

/* "@blocks_0_mixer_qkv_weight" for parameter `name` of a block, or 0 if the model has none; -1: of no block. `text`
 * holds EXPORT_TEXT characters. */
enum { EXPORT_TEXT = 128 };
const char *export_table(const export_model *e, int64_t block, const char *name, char *text);

/* As fprintf, with "NAME_" for each @: every name at file scope begins so, and several models may share a file. */
void export_print(FILE *out, const export_model *e, const char *format, ...) __attribute__((format(printf, 3, 4)));

int export_write_tables(FILE *out, const export_model *e);
int export_write_code(FILE *out, const export_model *e);

#endif
