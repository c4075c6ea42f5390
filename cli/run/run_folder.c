/* See run_folder.h. */
#include "cli/run/job.h"
#include "cli/run/run_folder.h"

#include "base/file.h"
#include "results/transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_SIZE = 65, NAME_SIZE = 64, FILE_MAX = FB_PATH_MAX + NAME_SIZE + 1 };

static void file_path(const struct fb_run_folder *folder, const char *name, char path[FILE_MAX])
{
    snprintf(path, FILE_MAX, "%s/%.*s", folder->path, NAME_SIZE, name);
}

/* Is it a job's file in runs/? */
static bool is_run(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".run") == 0;
}

/* A folder that holds something else than a run, finished or broken off, is somebody's: what we
 * write would take the place of his files. */
static void folder_check(const struct fb_run_folder *folder, struct fb_error *error)
{
    char path[FILE_MAX];
    struct stat status;
    file_path(folder, "running.json", path);
    bool is_ours = folder->had_results || stat(path, &status) == 0, is_empty = true;
    DIR *entries = opendir(folder->path);
    for (struct dirent *entry = entries != NULL ? readdir(entries) : NULL; entry != NULL;
         entry = readdir(entries))
        is_empty = is_empty && entry->d_name[0] == '.';
    if (entries != NULL)
        closedir(entries);
    if (!is_ours && !is_empty)
        fb_error_set(error,
                     "%s: holds files and is no folder of results: name another one with --out",
                     folder->path);
}

/* Files can be made in it, and it has room for one. */
static void folder_try(const struct fb_run_folder *folder, struct fb_error *error)
{
    struct fb_file file;
    fb_file_open(&file, folder->path, "running.json", error);
    if (file.stream != NULL)
        fputs("{}\n", file.stream);
    fb_file_commit(&file, error);
}

void fb_run_folder_open(struct fb_run_folder *folder, const char *path, struct fb_error *error)
{
    char manifest[FILE_MAX];
    struct stat status;
    *folder = (struct fb_run_folder){.lock = -1};
    if (snprintf(folder->path, sizeof(folder->path), "%s", path) >= (int)sizeof(folder->path)) {
        fb_error_set(error, "--out: the path is longer than %zu bytes", sizeof(folder->path) - 1);
        return;
    }
    fb_folder_make(path, error);
    if (fb_error_is_set(error))
        return;
    folder->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock < 0) {
        fb_error_set(error, "cannot write to %s: %s; name another folder with --out", path,
                     strerror(errno));
        return;
    }
    if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
        fb_error_set(error,
                     "%s: another run writes there now: wait for it, or name another folder "
                     "with --out",
                     path);
        return;
    }
    file_path(folder, "manifest.json", manifest);
    folder->had_results = stat(manifest, &status) == 0;
    folder_check(folder, error);
    if (fb_error_is_set(error))
        return;
    folder_try(folder, error);
}

void fb_run_folder_begin(const struct fb_run_folder *folder, const char *experiment,
                         struct fb_error *error)
{
    struct fb_file file;
    char runs[FILE_MAX];
    file_path(folder, "runs", runs);
    if (mkdir(runs, 0777) != 0 && errno != EEXIST)
        fb_error_set(error, "cannot make folder %s: %s", runs, strerror(errno));
    fb_file_open(&file, folder->path, "running.json", error);
    if (file.stream != NULL)
        fprintf(file.stream, "{\"state\": \"running\", \"experiment\": \"%s\", \"process\": %ld}\n",
                experiment, (long)getpid());
    fb_file_commit(&file, error);
}

static void hash_file(EVP_MD_CTX *context, const char *path)
{
    char hex[KEY_SIZE] = "";
    (void)fb_sha256_file(path, hex);
    EVP_DigestUpdate(context, hex, strlen(hex));
}

/* runs/KEY.run of a job. */
static void job_name(const struct fb_job *job, char name[NAME_SIZE])
{
    static char program[KEY_SIZE];
    const struct fb_scenario *scenario = job->scenario;
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int at = snprintf(name, NAME_SIZE, "runs/");
    if (program[0] == '\0')
        (void)fb_sha256_file("/proc/self/exe", program);
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    EVP_DigestUpdate(context, program, strlen(program));
    EVP_DigestUpdate(context, scenario->resolved, strlen(scenario->resolved));
    EVP_DigestUpdate(context, &job->seed, sizeof(job->seed));
    for (uint32_t i = 1; i < scenario->input_count; i++) /* the first is the experiment: resolved */
        hash_file(context, scenario->inputs[i]);
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    for (uint32_t i = 0; i < 16; i++)
        at += snprintf(name + at, NAME_SIZE - (size_t)at, "%02x", digest[i]);
    snprintf(name + at, NAME_SIZE - (size_t)at, ".run");
}

uint32_t fb_run_folder_resume(const struct fb_run_folder *folder, struct fb_job *jobs,
                              uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        char name[NAME_SIZE], path[FILE_MAX];
        struct fb_error own = {.text = ""};
        job_name(&jobs[i], name);
        file_path(folder, name, path);
        FILE *stream = fopen(path, "rb");
        if (stream == NULL)
            continue;
        jobs[i].is_done = fb_transport_read(stream, jobs[i].run, &own);
        if (!jobs[i].is_done)
            fb_run_free(jobs[i].run);
        found += jobs[i].is_done;
        fclose(stream);
    }
    return found;
}

void fb_run_folder_keep(const struct fb_run_folder *folder, const struct fb_job *job)
{
    struct fb_file file;
    struct fb_error own = {.text = ""};
    const struct fb_error none = {.text = ""};
    char name[NAME_SIZE];
    if (job->run->is_partial)
        return;
    job_name(job, name);
    fb_file_open(&file, folder->path, name, &own);
    if (file.stream != NULL)
        fb_transport_write(file.stream, job->run, &none);
    fb_file_commit(&file, &own);
}

void fb_run_folder_end(const struct fb_run_folder *folder)
{
    char path[FILE_MAX];
    file_path(folder, "runs", path);
    DIR *runs = opendir(path);
    for (struct dirent *entry = runs != NULL ? readdir(runs) : NULL; entry != NULL;
         entry = readdir(runs))
        if (is_run(entry->d_name))
            (void)unlinkat(dirfd(runs), entry->d_name, 0);
    if (runs != NULL)
        closedir(runs);
    (void)rmdir(path);
    file_path(folder, "running.json", path);
    (void)unlink(path);
}

void fb_run_folder_close(struct fb_run_folder *folder)
{
    if (folder->lock >= 0)
        close(folder->lock);
    folder->lock = -1;
}
