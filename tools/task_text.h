/* A task as a model file names it: "linear seed=3". */
#ifndef TOOLS_TASK_TEXT_H
#define TOOLS_TASK_TEXT_H

#include <lsqnet/task.h>
#include <stddef.h>

/* The task's name, and those of its options that say what is asked, or what its data are where there is no other choice
 * (ODEs), as far as they are not the defaults. Rows, unknowns, prompt, iterates and step have places of their own in
 * the file. */
int task_text_write(const lsqnet_task_options *options, char *out, size_t room);

/* Sets them; `text` is cut up, and options->name points into it. 0: it is no such text. */
int task_text_read(char *text, lsqnet_task_options *options);

#endif
