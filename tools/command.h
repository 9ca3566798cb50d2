/* Subcommands: each takes its own name as argv[0] and returns an exit code. */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

int solve_command(int argc, char **argv);
int info_command(int argc, char **argv);
int run_command(int argc, char **argv);
int train_command(int argc, char **argv);
int eval_command(int argc, char **argv);
int export_command(int argc, char **argv);
int plot_command(int argc, char **argv);
int reproduce_command(int argc, char **argv);

#endif
