/* Pictures by gnuplot, which does the drawing and must be installed. */
#ifndef TOOLS_GNUPLOT_H
#define TOOLS_GNUPLOT_H

#include <stdio.h>

/* `text` in gnuplot's single quotes. */
void gnuplot_quote(FILE *script, const char *text);

/* Fails where gnuplot cannot be run. */
int gnuplot_check(void);

/* Runs the script, from its start; what it draws becomes the file `path` when it is whole. */
int gnuplot_draw(FILE *script, const char *path);

#endif
