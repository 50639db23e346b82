/* A disk that fails to order: preloaded (LD_PRELOAD) into a process under test, between it and the C library.
 *
 * It watches the files under FAULTIO_DIR (but never a `-shm`, which SQLite maps and rebuilds by itself), counts the
 * calls that reach the disk, and fails some of them as the control file says. The control file (FAULTIO_CONTROL, 4096
 * bytes, mapped by both sides) holds little-endian 64-bit words, so that the test reads the counters of a process that
 * is dead and changes the order of one that lives:
 *
 *   0 order    0 none, 1 EIO, 2 ENOSPC, 3 short write, 4 SIGKILL, 5 power loss
 *   1 from     the first call that is struck, counted from 1
 *   2 to       the last one
 *   3 kinds    a set of the kinds of calls that count: open 1, write 2, truncate 4, sync 8, rename 16, unlink 32
 *   4 seed     of the power loss
 *   5 calls    how many calls of these kinds there were
 *   6 struck   how many of them were struck
 *   7 …12      the calls of each kind, whatever `kinds` says
 *   13 bytes   how many bytes were written
 *
 * With FAULTIO_POWER naming a file it also remembers what a power loss would leave: for each 512-byte sector that was written
 * since the last sync, what stood there before; for each file how long it was; for each name whether its folder was
 * synced since. A power loss then draws for each such sector, length and name whether the change reached the disk, puts
 * the files into that state, and ends the process. A sync that failed leaves its sectors "clean": they reach the disk
 * only when they are written again (what Linux does after an EIO). What is remembered outlives the process in that file,
 * as the cache of the operating system does, so that the next process may lose it. It keeps descriptors of its own for this, and closing
 * one gives the process's locks on that file back: with FAULTIO_POWER only one process may use the folder.
 *
 * With FAULTIO_ABORT holding a text it ends the process by abort() as soon as that text is about to be sent to anybody: a process
 * that dies of what it works on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, TRUNCATE = 4, SYNC = 8, RENAME = 16, UNLINK = 32 };
enum { NONE, FAIL_EIO, FAIL_ENOSPC, SHORT, KILL, POWER };
enum { ORDER, FROM, TO, KINDS, SEED, CALLS, STRUCK, OF_KIND, BYTES = 13 };
enum { SECTOR = 512, FDS = 4096, NAMES = 256, FILES = 256 };

static _Atomic uint64_t *control;
static char dir[PATH_MAX];
static size_t dir_length;
static int keeps_power;
static char memory_path[PATH_MAX];
static const char *deadly;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_renameat)(int, const char *, int, const char *);
static int (*real_unlinkat)(int, const char *, int);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);

/* What one sector held when it was last synced. */
struct sector {
	uint64_t number;
	unsigned char is_used, is_lost;
	unsigned char before[SECTOR];
};

/* A file, whatever its name. */
struct file {
	dev_t dev;
	ino_t ino;
	off64_t synced_size;
	int is_cut; /* shortened since the last sync: what was cut off comes back whole, or not at all */
	struct sector *sectors; /* open addressing, `room` a power of two */
	size_t count, room;
};

/* A name, which file it is now, and which after a power loss; -1 is none. */
struct name {
	char path[PATH_MAX];
	int now, synced;
	int keeper; /* an open descriptor of `synced`, so that an unlinked file can come back */
};

struct opened {
	int is_watched; /* 1 a file, 2 a folder */
	int file;
	int is_append;
};

static struct opened fds[FDS];
static struct name names[NAMES];
static struct file files[FILES];
static int name_count, file_count;

static void recall(void);

static void start(void)
{
	const char *path = getenv("FAULTIO_CONTROL"), *folder = getenv("FAULTIO_DIR");
	real_open = dlsym(RTLD_NEXT, "open64");
	real_close = dlsym(RTLD_NEXT, "close");
	real_write = dlsym(RTLD_NEXT, "write");
	real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
	real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
	real_fsync = dlsym(RTLD_NEXT, "fsync");
	real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
	real_renameat = dlsym(RTLD_NEXT, "renameat");
	real_unlinkat = dlsym(RTLD_NEXT, "unlinkat");
	real_writev = dlsym(RTLD_NEXT, "writev");
	real_send = dlsym(RTLD_NEXT, "send");
	real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
	deadly = getenv("FAULTIO_ABORT");
	if (!path || !folder || strlen(folder) >= sizeof dir)
		return;
	int fd = real_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		dprintf(2, "faultio: cannot open %s: %s\n", path, strerror(errno));
		_exit(99);
	}
	void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	real_close(fd);
	if (mapped == MAP_FAILED)
		_exit(99);
	strcpy(dir, folder);
	dir_length = strlen(dir);
	const char *memory = getenv("FAULTIO_POWER");
	if (memory && strlen(memory) < sizeof memory_path) {
		keeps_power = 1;
		strcpy(memory_path, memory);
		recall();
	}
	control = mapped;
}

static int is_on(void)
{
	pthread_once(&once, start);
	return control != NULL;
}

static void die(const char *why)
{
	dprintf(2, "faultio: %s\n", why);
	_exit(99);
}

/* ---- what a power loss leaves ---- */

static struct sector *find_sector(struct file *file, uint64_t number, int make)
{
	if (make && (file->count + 1) * 4 > file->room * 3) {
		struct sector *old = file->sectors;
		size_t old_room = file->room;
		file->room = old_room ? old_room * 2 : 256;
		file->sectors = calloc(file->room, sizeof *old);
		if (!file->sectors)
			die("out of memory");
		file->count = 0;
		for (size_t i = 0; i < old_room; i++)
			if (old[i].is_used)
				*find_sector(file, old[i].number, 1) = old[i];
		free(old);
	}
	if (!file->room)
		return NULL;
	size_t at = (number * 0x9E3779B97F4A7C15u) >> 20;
	for (;; at++) {
		struct sector *found = &file->sectors[at & (file->room - 1)];
		if (found->is_used && found->number == number)
			return found;
		if (found->is_used)
			continue;
		if (!make)
			return NULL;
		found->is_used = 1;
		found->is_lost = 0;
		found->number = number;
		file->count++;
		return found;
	}
}

/* Keeps what stands in `length` bytes from `from` on, before it is changed. */
static void keep(struct file *file, int fd, off64_t from, off64_t length)
{
	if (length <= 0)
		return;
	uint64_t last = (uint64_t)(from + length - 1) / SECTOR;
	for (uint64_t number = (uint64_t)from / SECTOR; number <= last; number++) {
		struct sector *sector = find_sector(file, number, 0);
		if (sector) {
			sector->is_lost = 0;
			continue;
		}
		sector = find_sector(file, number, 1);
		memset(sector->before, 0, SECTOR);
		if (pread64(fd, sector->before, SECTOR, (off64_t)number * SECTOR) < 0) {
			/* Opened for writing only: read it by another way. */
			char path[64];
			snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
			int other = real_open(path, O_RDONLY | O_CLOEXEC);
			if (other < 0 || pread64(other, sector->before, SECTOR, (off64_t)number * SECTOR) < 0)
				die("cannot read what is to be changed");
			real_close(other);
		}
	}
}

static void synced(struct file *file, int fd)
{
	struct stat now;
	struct sector *old = file->sectors;
	size_t old_room = file->room;
	file->sectors = NULL;
	file->count = file->room = 0;
	for (size_t i = 0; i < old_room; i++)
		if (old[i].is_used && old[i].is_lost)
			*find_sector(file, old[i].number, 1) = old[i];
	free(old);
	file->is_cut = 0;
	if (fstat(fd, &now) == 0)
		file->synced_size = now.st_size;
}

static void sync_failed(struct file *file)
{
	for (size_t i = 0; i < file->room; i++)
		if (file->sectors[i].is_used)
			file->sectors[i].is_lost = 1;
}

static int file_of(int fd)
{
	struct stat now;
	if (fstat(fd, &now) != 0)
		die("cannot stat");
	for (int i = 0; i < file_count; i++)
		if (files[i].dev == now.st_dev && files[i].ino == now.st_ino)
			return i;
	if (file_count == FILES)
		die("too many files");
	files[file_count] = (struct file){.dev = now.st_dev, .ino = now.st_ino, .synced_size = now.st_size};
	return file_count++;
}

static struct name *name_of(const char *path)
{
	for (int i = 0; i < name_count; i++)
		if (strcmp(names[i].path, path) == 0)
			return &names[i];
	if (name_count == NAMES)
		die("too many names");
	struct name *name = &names[name_count++];
	strcpy(name->path, path);
	name->now = name->synced = name->keeper = -1;
	return name;
}

static int keeper_of(const char *path)
{
	return real_open(path, O_RDWR | O_CLOEXEC);
}

/* Forgets a file that no name leads to, now or after a power loss: its inode may become another file's. */
static void forget(int file)
{
	if (file < 0)
		return;
	for (int i = 0; i < name_count; i++)
		if (names[i].now == file || names[i].synced == file)
			return;
	free(files[file].sectors);
	files[file] = (struct file){0};
}

/* A folder was synced: its names are as they are now. */
static void names_synced(void)
{
	for (int i = 0; i < name_count; i++) {
		struct name *name = &names[i];
		int before = name->synced;
		if (before == name->now)
			continue;
		if (name->keeper >= 0)
			real_close(name->keeper);
		name->keeper = -1;
		name->synced = name->now;
		forget(before);
		if (name->synced >= 0)
			name->keeper = keeper_of(name->path);
	}
}

/* ---- what outlives the process ---- */

static void put(int fd, const void *bytes, size_t length)
{
	if (real_write(fd, bytes, length) != (ssize_t)length)
		die("cannot remember");
}

/* Names count as synced here; that of a file that was lost before its folder was synced is another test. */
__attribute__((destructor)) static void remember(void)
{
	if (!control || !keeps_power)
		return;
	pthread_mutex_lock(&lock);
	int fd = real_open(memory_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die("cannot remember");
	for (int i = 0; i < name_count; i++) {
		if (names[i].now < 0)
			continue;
		struct file *file = &files[names[i].now];
		uint64_t head[3] = {(uint64_t)file->synced_size, file->count, (uint64_t)file->is_cut};
		put(fd, names[i].path, PATH_MAX);
		put(fd, head, sizeof head);
		for (size_t at = 0; at < file->room; at++)
			if (file->sectors[at].is_used)
				put(fd, &file->sectors[at], sizeof *file->sectors);
	}
	real_close(fd);
	/* Whoever comes after this has nothing to say any more. */
}

static void recall(void)
{
	int fd = real_open(memory_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	char path[PATH_MAX];
	while (read(fd, path, sizeof path) == (ssize_t)sizeof path) {
		uint64_t head[3];
		if (read(fd, head, sizeof head) != (ssize_t)sizeof head)
			die("cannot recall");
		int keeper = keeper_of(path);
		struct file gone = {0}, *file = &gone;
		if (keeper >= 0) {
			struct name *name = name_of(path);
			name->now = name->synced = file_of(keeper);
			name->keeper = keeper;
			file = &files[name->now];
			file->synced_size = (off64_t)head[0];
			file->is_cut = (int)head[2];
		}
		for (uint64_t i = 0; i < head[1]; i++) {
			struct sector sector;
			if (read(fd, &sector, sizeof sector) != (ssize_t)sizeof sector)
				die("cannot recall");
			*find_sector(file, sector.number, 1) = sector;
		}
	}
	real_close(fd);
	real_unlinkat(AT_FDCWD, memory_path, 0);
}

static uint64_t draw(void)
{
	static uint64_t state;
	if (!state)
		state = control[SEED] * 2 + 1;
	state += 0x9E3779B97F4A7C15u;
	uint64_t z = state;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* Brings a file into a state that a power loss may leave. `odds` of 256 is how much of what was not synced is there. */
static void lose(struct file *file, int fd, unsigned odds)
{
	struct stat now;
	if (fstat(fd, &now) != 0)
		return;
	off64_t size = now.st_size;
	/* A file system shortens a file at once or not: then everything written since is lost with it. */
	int is_uncut = file->is_cut && draw() % 2 == 0;
	for (size_t i = 0; i < file->room; i++) {
		struct sector *sector = &file->sectors[i];
		if (!sector->is_used)
			continue;
		if (file->is_cut && !is_uncut) {
			static const unsigned char nothing[SECTOR];
			memcpy(sector->before, nothing, SECTOR);
		}
		if (!is_uncut && !sector->is_lost && draw() % 256 < odds)
			continue;
		if (real_pwrite(fd, sector->before, SECTOR, (off64_t)sector->number * SECTOR) != SECTOR)
			die("cannot put back what was there");
	}
	if (is_uncut) {
		size = file->synced_size;
	} else if (file->is_cut) {
		/* What it was before is gone; what was written since is there or not. */
	} else if (size != file->synced_size) {
		off64_t between = size > file->synced_size ? size - file->synced_size : file->synced_size - size;
		off64_t least = size < file->synced_size ? size : file->synced_size;
		switch (draw() % 3) {
		case 0: size = file->synced_size; break;
		case 1: size = least + (off64_t)(draw() % (uint64_t)(between + 1)); break;
		default: break;
		}
	}
	if (real_ftruncate(fd, size) != 0)
		die("cannot set the length");
}

static void power_loss(void)
{
	static const unsigned odds[] = {0, 16, 64, 128, 192, 240, 256};
	unsigned chance = odds[draw() % 7];
	for (int i = 0; i < name_count; i++) {
		struct name *name = &names[i];
		int is_settled = name->now == name->synced;
		int stays_new = is_settled || draw() % 2 == 0;
		if (stays_new && name->now >= 0) {
			int fd = keeper_of(name->path);
			if (fd >= 0)
				lose(&files[name->now], fd, chance);
			continue;
		}
		if (stays_new)
			continue;
		/* The change of the name did not reach the disk: what was there before comes back. */
		if (name->now >= 0)
			real_unlinkat(AT_FDCWD, name->path, 0);
		if (name->synced >= 0 && name->keeper >= 0) {
			struct stat now;
			lose(&files[name->synced], name->keeper, chance);
			int fd = real_open(name->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			if (fd < 0 || fstat(name->keeper, &now) != 0)
				die("cannot bring back a name");
			char block[65536];
			for (off64_t at = 0; at < now.st_size;) {
				ssize_t got = pread64(name->keeper, block, sizeof block, at);
				if (got <= 0 || real_pwrite(fd, block, (size_t)got, at) != got)
					die("cannot bring back a file");
				at += got;
			}
		}
	}
	_exit(137);
}

/* ---- counting and striking ---- */

static int order_of_kind(int kind)
{
	return kind == OPEN ? 0 : kind == WRITE ? 1 : kind == TRUNCATE ? 2 : kind == SYNC ? 3 : kind == RENAME ? 4 : 5;
}

/* Counts a call and says what is to happen to it. */
static int strike(int kind)
{
	control[OF_KIND + order_of_kind(kind)]++;
	if (!(control[KINDS] & (uint64_t)kind))
		return NONE;
	uint64_t number = ++control[CALLS];
	int order = (int)control[ORDER];
	if (order == NONE || number < control[FROM] || number > control[TO])
		return NONE;
	if (order == SHORT && kind != WRITE)
		return NONE;
	control[STRUCK]++;
	if (order == KILL) {
		pthread_mutex_unlock(&lock);
		remember();
		kill(getpid(), SIGKILL);
		pause();
	}
	return order;
}

/* What the struck call answers; 0 where it is carried out. A power loss does not come back. */
static int fails(int order)
{
	if (order == POWER)
		power_loss();
	if (order == FAIL_EIO)
		errno = EIO;
	if (order == FAIL_ENOSPC)
		errno = ENOSPC;
	return order == FAIL_EIO || order == FAIL_ENOSPC;
}

/* Whether a path is watched; fills in the whole of it. */
static int is_watched(int at, const char *path, char *whole)
{
	if (!is_on() || !path)
		return 0;
	if (path[0] == '/') {
		if (strlen(path) >= PATH_MAX)
			return 0;
		strcpy(whole, path);
	} else {
		char folder[PATH_MAX];
		if (at != AT_FDCWD || !getcwd(folder, sizeof folder))
			return 0;
		if (snprintf(whole, PATH_MAX, "%s/%s", folder, path) >= PATH_MAX)
			return 0;
	}
	size_t length = strlen(whole);
	if (length >= 4 && strcmp(whole + length - 4, "-shm") == 0)
		return 0;
	return strncmp(whole, dir, dir_length) == 0 && (whole[dir_length] == '/' || whole[dir_length] == 0);
}

static int opening(int at, const char *path, int flags, mode_t mode)
{
	char whole[PATH_MAX];
	int watched = is_watched(at, path, whole);
	int existed = 1;
	if (watched) {
		pthread_mutex_lock(&lock);
		struct stat before;
		existed = stat(whole, &before) == 0;
		int is_writing = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
		if (is_writing && fails(strike(OPEN))) {
			pthread_mutex_unlock(&lock);
			return -1;
		}
		if (keeps_power && existed && (flags & O_TRUNC) && S_ISREG(before.st_mode)) {
			int whole_fd = keeper_of(whole);
			if (whole_fd >= 0) {
				keep(&files[file_of(whole_fd)], whole_fd, 0, before.st_size);
				real_close(whole_fd);
			}
		}
	}
	int fd;
	if (at != AT_FDCWD && path && path[0] != '/') {
		int (*real_openat)(int, const char *, int, ...) = dlsym(RTLD_NEXT, "openat64");
		fd = real_openat(at, path, flags, mode);
	} else {
		pthread_once(&once, start);
		fd = real_open(path, flags, mode);
	}
	if (fd >= FDS && watched)
		die("too many descriptors");
	if (fd >= 0 && fd < FDS)
		fds[fd] = (struct opened){0};
	if (watched && fd >= 0) {
		struct stat now;
		if (fstat(fd, &now) == 0 && S_ISDIR(now.st_mode)) {
			fds[fd].is_watched = 2;
		} else {
			fds[fd].is_watched = 1;
			fds[fd].is_append = (flags & O_APPEND) != 0;
			if (keeps_power) {
				struct name *name = name_of(whole);
				int file = file_of(fd);
				fds[fd].file = file;
				if (existed && name->now < 0) {
					/* It was there before the process began. */
					name->synced = file;
					name->keeper = keeper_of(whole);
				}
				name->now = file;
			}
		}
	}
	if (watched) {
		int saved = errno;
		pthread_mutex_unlock(&lock);
		errno = saved;
	}
	return fd;
}

static mode_t mode_of(int flags, va_list rest)
{
	return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
}

#define OPENS(name, parameters, at)                                                                                    \
	int name parameters                                                                                            \
	{                                                                                                              \
		va_list rest;                                                                                          \
		va_start(rest, flags);                                                                                 \
		mode_t mode = mode_of(flags, rest);                                                                    \
		va_end(rest);                                                                                          \
		return opening(at, path, flags, mode);                                                                 \
	}

OPENS(open, (const char *path, int flags, ...), AT_FDCWD)
OPENS(open64, (const char *path, int flags, ...), AT_FDCWD)
OPENS(openat, (int at, const char *path, int flags, ...), at)
OPENS(openat64, (int at, const char *path, int flags, ...), at)

static int kind_of(int fd)
{
	return is_on() && fd >= 0 && fd < FDS ? fds[fd].is_watched : 0;
}

int close(int fd)
{
	pthread_once(&once, start);
	if (fd >= 0 && fd < FDS)
		fds[fd] = (struct opened){0};
	return real_close(fd);
}

/* Ends the process where what it is about to send holds the text that it dies of. */
static void sending(const void *bytes, size_t length)
{
	if (!deadly || !memmem(bytes, length, deadly, strlen(deadly)))
		return;
	/* Nobody wants the memory of a test. */
	struct rlimit none = {0};
	setrlimit(RLIMIT_CORE, &none);
	abort();
}

static void sending_parts(const struct iovec *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sending(parts[i].iov_base, parts[i].iov_len);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	pthread_once(&once, start);
	sending(bytes, length);
	return real_send(fd, bytes, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	pthread_once(&once, start);
	sending_parts(message->msg_iov, message->msg_iovlen);
	return real_sendmsg(fd, message, flags);
}

/* Carries a write out, or part of it. `at` is -1 where the file's own place counts. */
static ssize_t writing(int fd, const void *bytes, size_t length, off64_t at)
{
	if (kind_of(fd) != 1) {
		pthread_once(&once, start);
		sending(bytes, at < 0 ? length : 0);
		return at < 0 ? real_write(fd, bytes, length) : real_pwrite(fd, bytes, length, at);
	}
	pthread_mutex_lock(&lock);
	int order = strike(WRITE);
	if (order == SHORT && length > 1)
		length /= 2;
	ssize_t written = -1;
	if (order == POWER || !fails(order)) {
		if (keeps_power) {
			off64_t from = at;
			if (at < 0)
				from = lseek64(fd, 0, fds[fd].is_append ? SEEK_END : SEEK_CUR);
			keep(&files[fds[fd].file], fd, from, (off64_t)length);
		}
		written = at < 0 ? real_write(fd, bytes, length) : real_pwrite(fd, bytes, length, at);
		if (written > 0)
			control[BYTES] += (uint64_t)written;
		if (order == POWER)
			power_loss();
	}
	int saved = errno;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return written;
}

ssize_t write(int fd, const void *bytes, size_t length) { return writing(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return writing(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return writing(fd, bytes, length, at); }

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	if (kind_of(fd) != 1) {
		pthread_once(&once, start);
		sending_parts(parts, (size_t)count);
		return real_writev(fd, parts, count);
	}
	/* A short write is allowed: the first part that is not empty. */
	for (int i = 0; i < count; i++)
		if (parts[i].iov_len)
			return writing(fd, parts[i].iov_base, parts[i].iov_len, -1);
	return 0;
}

static int truncating(int fd, off64_t length)
{
	if (kind_of(fd) != 1) {
		pthread_once(&once, start);
		return real_ftruncate(fd, length);
	}
	pthread_mutex_lock(&lock);
	int result = -1;
	if (!fails(strike(TRUNCATE))) {
		struct stat now;
		if (keeps_power && fstat(fd, &now) == 0 && now.st_size > length) {
			keep(&files[fds[fd].file], fd, length, now.st_size - length);
			files[fds[fd].file].is_cut = 1;
		}
		result = real_ftruncate(fd, length);
	}
	int saved = errno;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return result;
}

int ftruncate(int fd, off_t length) { return truncating(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncating(fd, length); }

static int syncing(int fd, int (*real)(int))
{
	int kind = kind_of(fd);
	if (!kind)
		return real(fd);
	pthread_mutex_lock(&lock);
	int result = -1;
	if (!fails(strike(SYNC))) {
		/* With power kept here, the real disk need not be waited for. */
		result = keeps_power ? 0 : real(fd);
		if (keeps_power && kind == 1)
			synced(&files[fds[fd].file], fd);
		if (keeps_power && kind == 2)
			names_synced();
	} else if (keeps_power && kind == 1) {
		sync_failed(&files[fds[fd].file]);
	}
	int saved = errno;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return result;
}

int fsync(int fd)
{
	pthread_once(&once, start);
	return syncing(fd, real_fsync);
}

int fdatasync(int fd)
{
	pthread_once(&once, start);
	return syncing(fd, real_fdatasync);
}

static int unlinking(int at, const char *path, int flags)
{
	char whole[PATH_MAX];
	if ((flags & AT_REMOVEDIR) || !is_watched(at, path, whole)) {
		pthread_once(&once, start);
		return real_unlinkat(at, path, flags);
	}
	pthread_mutex_lock(&lock);
	int result = -1;
	if (!fails(strike(UNLINK))) {
		if (keeps_power) {
			struct name *name = name_of(whole);
			if (name->now < 0 && name->synced < 0) {
				int fd = keeper_of(whole);
				if (fd >= 0) {
					name->now = name->synced = file_of(fd);
					name->keeper = fd;
				}
			}
			int before = name->now;
			name->now = -1;
			forget(before);
		}
		result = real_unlinkat(at, path, flags);
	}
	int saved = errno;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return result;
}

int unlink(const char *path) { return unlinking(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return unlinking(at, path, flags); }

static int renaming(int from_at, const char *from, int to_at, const char *to)
{
	char whole_from[PATH_MAX], whole_to[PATH_MAX];
	if (!is_watched(from_at, from, whole_from) || !is_watched(to_at, to, whole_to)) {
		pthread_once(&once, start);
		return real_renameat(from_at, from, to_at, to);
	}
	pthread_mutex_lock(&lock);
	int result = -1;
	if (!fails(strike(RENAME))) {
		result = real_renameat(from_at, from, to_at, to);
		if (result == 0 && keeps_power) {
			name_of(whole_to)->now = name_of(whole_from)->now;
			name_of(whole_from)->now = -1;
		}
	}
	int saved = errno;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return result;
}

int rename(const char *from, const char *to) { return renaming(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return renaming(from_at, from, to_at, to); }
