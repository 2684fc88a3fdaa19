/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* One file per command: cmd_NAME.c. argv[0] is the command's name; returns the exit code. */
int cmd_agent(int argc, char **argv);
int cmd_estimate(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_record_guest(int argc, char **argv);
int cmd_record_token(int argc, char **argv);
int cmd_pinning(int argc, char **argv);
int cmd_pinning_recommend(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_workload(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_dataset(int argc, char **argv);
int cmd_dataset_import(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_evaluate(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_retrain(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_serve_client(int argc, char **argv);
int cmd_poll(int argc, char **argv);
int cmd_powercap(int argc, char **argv);
int cmd_record_host(int argc, char **argv);

#endif
