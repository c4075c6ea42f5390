/* `forebay status --cluster`: what the other members say of themselves, as this machine's daemon
 * heard it. */
#ifndef FB_CLI_COMMANDS_DAEMON_MEMBERS_H
#define FB_CLI_COMMANDS_DAEMON_MEMBERS_H

#include "cli/commands/daemon_state.h"

/* Has the daemon ask the others, and waits up to two seconds for those that can be reached. Errors:
 * negative errno; nothing to free then. */
int members_take(struct forebay_client *client, struct state *state);

/* Adds what is wrong with others. */
void members_judge(const struct state *state, struct state_judgement *judgement);

/* The answer, and a line a member. */
void members_print(const struct state *state, const struct state_judgement *judgement);

#endif
