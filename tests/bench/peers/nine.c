/* The peer that chelad's start is measured beside: tokio processes (nine at most), each in its own namespaces and pivoted
 * root, under its own account, without capabilities, started as fast as a plain C program can.
 *
 * usage: nine PROGRAM SCRATCH_DIR COUNT [unsealed]
 * PROGRAM is a static program that writes one byte to its standard output when its runtime runs. Prints the microseconds from
 * the first clone to the last byte. Measuring program: it checks every step and exits 1 at the first that fails. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 9, FIRST_UID = 1950000000, LAST_CAP = 63 };

static void must(long result, const char *step) {
    if (result < 0) {
        fprintf(stderr, "nine: %s: %s\n", step, strerror(errno));
        _exit(1);
    }
}

static void seal(const char *scratch, int number) {
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must(mount("tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755"), "tmpfs");
    must(chdir(scratch), "chdir");
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "detach");
    must(chdir("/"), "chdir /");
    must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "read-only");
    for (int cap = 0; cap <= LAST_CAP; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1) must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "bounding set");
    must(setgroups(0, NULL), "setgroups");
    must(setresgid(FIRST_UID + number, FIRST_UID + number, FIRST_UID + number), "setresgid");
    must(setresuid(FIRST_UID + number, FIRST_UID + number, FIRST_UID + number), "setresuid");
    must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "parent-death signal");
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

int main(int argc, char **argv) {
    int count = argc < 4 ? 0 : atoi(argv[3]);
    if (count < 1 || count > PROCESSES) {
        fprintf(stderr, "usage: nine PROGRAM SCRATCH_DIR COUNT [unsealed]; COUNT is 1 to %d\n", PROCESSES);
        return 2;
    }
    int sealed = argc == 4, ready[2];
    int program = open(argv[1], O_PATH | O_CLOEXEC);
    must(program, argv[1]);
    must(pipe(ready), "pipe");
    pid_t pids[PROCESSES];
    char *child_argv[] = {argv[1], NULL}, *child_env[] = {NULL};
    long namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < count; i++) {
        pids[i] = (pid_t)syscall(SYS_clone, (sealed ? namespaces : 0) | SIGCHLD, 0, 0, 0, 0);
        must(pids[i], "clone");
        if (pids[i] == 0) {
            if (sealed) seal(argv[2], i);
            must(dup2(ready[1], 1) == 1 ? 0 : -1, "dup2");
            syscall(SYS_execveat, program, "", child_argv, child_env, AT_EMPTY_PATH);
            must(-1, "execveat");
        }
    }
    close(ready[1]);
    for (int seen = 0; seen < count; seen++) {
        char byte;
        must(read(ready[0], &byte, 1) == 1 ? 0 : -1, "a process ended before it was ready");
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%ld\n", (to.tv_sec - from.tv_sec) * 1000000L + (to.tv_nsec - from.tv_nsec) / 1000);
    for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
    for (int i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
    return 0;
}
