/* SimGrid's part of the engine is a module, loaded when an engine of that kind is wanted: its
 * libraries take longer to load than most commands take in all. An installed program has it in
 * lib/forebay beside its bin/; one that is not finds it where it was built. */
#include "sim/engine/engine_internal.h"

#include <stddef.h>

#ifdef FB_SIMGRID_MODULE
#include "core/panic.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Path of the module of a program that is installed. */
static bool installed_module(char path[PATH_MAX])
{
    static const char place[] = "/../lib/forebay/" FB_SIMGRID_MODULE;
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    char *end = strrchr(path, '/');
    if (end == NULL || (size_t)(end - path) + sizeof(place) > PATH_MAX)
        return false;
    memcpy(end, place, sizeof(place));
    return access(path, R_OK) == 0;
}

static const struct fb_simgrid *load(void)
{
    static const struct fb_simgrid_hooks hooks = {.deliver_due = fb_engine_deliver_due,
                                                  .next_ns = fb_engine_next_ns,
                                                  .heap_push = fb_event_heap_push};
    char path[PATH_MAX];
    void *module = dlopen(installed_module(path) ? path : FB_SIMGRID_FOLDER "/" FB_SIMGRID_MODULE,
                          RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        return NULL;
    fb_simgrid_module *entry;
    void *symbol = dlsym(module, "fb_simgrid_calls");
    FB_ASSERT(symbol != NULL);
    memcpy(&entry, &symbol, sizeof(entry)); /* C has no cast from an object to a function */
    return entry(&hooks);
}

const struct fb_simgrid *fb_simgrid_find(void)
{
    static const struct fb_simgrid *loaded;
    if (loaded == NULL)
        loaded = load();
    return loaded;
}
#else
const struct fb_simgrid *fb_simgrid_find(void)
{
    return NULL;
}
#endif

bool fb_engine_kind_is_built(enum fb_engine_kind kind)
{
    return kind == FB_ENGINE_PLAIN || fb_simgrid_find() != NULL;
}
