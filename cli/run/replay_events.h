/* The half of `forebay replay` that replays a daemon's recording. */
#ifndef FB_CLI_RUN_REPLAY_EVENTS_H
#define FB_CLI_RUN_REPLAY_EVENTS_H

/* argv: "replay" "--events" PATH [--print]. Returns the exit code. */
int fb_replay_events(int argc, char **argv);

#endif
