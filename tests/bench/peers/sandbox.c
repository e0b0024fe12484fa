/* The floor of a sandbox: the namespaces, overlay and pivot_root that ours has, and no filter, ruleset or limit, made as
 * fast as a plain C program can, /bin/true in it, and one durable write of a log entry for each.
 *
 * usage: sandbox WORKSPACE SCRATCH_DIR COUNT
 * Prints the microseconds of each, a line each. Measuring program: it exits 1 at the first step that fails. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENTRY_BYTES = 512, PATH_BYTES = 4096 };

static void must(long result, const char *step) {
    if (result < 0) {
        fprintf(stderr, "sandbox: %s: %s\n", step, strerror(errno));
        _exit(1);
    }
}

static void put(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    must(file, path);
    must(write(file, text, strlen(text)), path);
    close(file);
}

static void attach(const char *from, const char *to) { must(mount(from, to, NULL, MS_BIND | MS_REC, NULL), to); }

static void inside(const char *workspace, const char *root, uid_t uid, gid_t gid) {
    const char *directories[] = {"usr", "proc", "tmp", "dev", "workspace", "layer"};
    const char *links[] = {"bin", "lib", "lib64", "sbin"};
    char text[2 * PATH_BYTES];
    must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "parent-death signal");
    put("/proc/self/setgroups", "deny");
    snprintf(text, sizeof text, "1000 %u 1", gid);
    put("/proc/self/gid_map", text);
    snprintf(text, sizeof text, "1000 %u 1", uid);
    put("/proc/self/uid_map", text);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(ioctl(inet, SIOCSIFFLAGS, &lo), "loopback");
    close(inet);
    must(sethostname("sandbox", 7), "host name");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must(mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=512m,mode=755"), "tmpfs");
    must(chdir(root), "chdir");
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) must(mkdir(directories[i], 0755), directories[i]);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(text, sizeof text, "usr/%s", links[i]);
        must(symlink(text, links[i]), links[i]);
    }
    attach("/usr", "usr");
    must(mkdir("layer/upper", 0755), "upper");
    must(mkdir("layer/work", 0755), "work");
    snprintf(text, sizeof text, "lowerdir=%s,upperdir=layer/upper,workdir=layer/work,userxattr", workspace);
    must(mount("overlay", "workspace", "overlay", MS_NOSUID | MS_NODEV, text), "overlay");
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
    must(mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=256m"), "tmp");
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "detach");
    must(chdir("/workspace"), "workspace");
}

int main(int argc, char **argv) {
    int count = argc == 4 ? atoi(argv[3]) : 0;
    if (count < 1) {
        fprintf(stderr, "usage: sandbox WORKSPACE SCRATCH_DIR COUNT\n");
        return 2;
    }
    char path[PATH_BYTES], entry[ENTRY_BYTES] = {0};
    snprintf(path, sizeof path, "%s/log-entries", argv[2]);
    int log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(log, path);
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    for (int i = 0; i < count; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        must(write(log, entry, sizeof entry), "log entry");
        must(fdatasync(log), "log entry");
        pid_t child = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
        must(child, "clone");
        if (child == 0) {
            inside(argv[1], argv[2], uid, gid);
            execl("/bin/true", "true", NULL);
            must(-1, "/bin/true");
        }
        int status;
        must(waitpid(child, &status, 0), "wait");
        clock_gettime(CLOCK_MONOTONIC, &to);
        if (status != 0) {
            fprintf(stderr, "sandbox: it ended with status %d\n", status);
            return 1;
        }
        printf("%.1f\n", (to.tv_sec - from.tv_sec) * 1e6 + (to.tv_nsec - from.tv_nsec) / 1e3);
    }
    return 0;
}
