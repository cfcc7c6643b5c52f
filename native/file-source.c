// A file that is read from its beginning to its end by who hashes it. What lies in the system's cache is read
// from there. What does not is read past the cache: a new page of it for each page of the file costs more
// than hashing it where the machine has to be asked for memory, and the files that somebody else reads again
// would leave the cache for files that nobody does. Where there is no such way, all of it is read as usual.

#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

// Of memory, and of what is asked of a disk.
#define ALIGNMENT 4096
// Asked of the disk at once, and copied from there while it is near the processor.
#define ROOM_BYTES (2 * 1024 * 1024)
// Fewer bytes are not worth asking where they lie.
#define LOOK_BYTES_MIN (256 * 1024)
#define LOOK_BYTES_MAX (16 * 1024 * 1024)
#define NO_DIRECT -2

void open_source(FileSource *source, int fd, int64_t position) {
  *source = (FileSource){.fd = fd, .position = position, .direct = -1};
}

// Not less than a room that begins a huge page: what the disk writes to is then one page to the system.
void lend_room(FileSource *source, uint8_t *memory, size_t length) {
  if (length < 2 * ROOM_BYTES) return;
  source->room = memory + (ROOM_BYTES - (uintptr_t)memory % ROOM_BYTES) % ROOM_BYTES;
}

void close_source(FileSource *source) {
  if (source->direct >= 0) close(source->direct);
  source->direct = NO_DIRECT;
  source->is_past_cache = false;
}

// Less than half of it. When the system does not tell, all of it is said to be there.
static bool is_cold(const FileSource *source, size_t length) {
  unsigned char pages[LOOK_BYTES_MAX / ALIGNMENT];
  void *mapped = mmap(NULL, length, PROT_READ, MAP_SHARED, source->fd, source->position);
  if (mapped == MAP_FAILED) return false;
  bool is_told = mincore(mapped, length, pages) == 0;
  munmap(mapped, length);
  size_t count = (length + ALIGNMENT - 1) / ALIGNMENT, here = 0;
  for (size_t at = 0; is_told && at < count; at++) here += pages[at] & 1;
  return is_told && here * 2 < count;
}

static bool can_go_past(FileSource *source) {
  if (source->room == NULL) return false;
  if (source->direct == -1) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", source->fd);
    source->direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (source->direct < 0) source->direct = NO_DIRECT;
    // Where it cannot be, many small ones do.
    else madvise(source->room, ROOM_BYTES, MADV_HUGEPAGE);
  }
  return source->direct >= 0;
}

void look_ahead(FileSource *source, size_t length) {
  source->is_past_cache = source->position % ALIGNMENT == 0 && length >= LOOK_BYTES_MIN &&
                          length <= LOOK_BYTES_MAX && sysconf(_SC_PAGESIZE) == ALIGNMENT &&
                          is_cold(source, length) && can_go_past(source);
}

// What the room has of the next bytes, or what the disk puts there; below 0: it goes no further this way.
static ssize_t take_past_cache(FileSource *source, uint8_t *into, size_t length) {
  int64_t offset = source->position - source->room_start;
  if (offset < 0 || offset >= (int64_t)source->room_length) {
    source->room_start = source->position / ALIGNMENT * ALIGNMENT;
    source->room_length = 0;
    ssize_t read = pread(source->direct, source->room, ROOM_BYTES, source->room_start);
    if (read < 0) return -1;
    source->room_length = (size_t)read;
    offset = source->position - source->room_start;
    if (offset >= read) return 0;
  }
  size_t there = source->room_length - (size_t)offset;
  if (there > length) there = length;
  memcpy(into, source->room + offset, there);
  return (ssize_t)there;
}

int32_t read_source(FileSource *source, uint8_t *into, size_t length) {
  while (length > 0) {
    ssize_t read = source->is_past_cache ? take_past_cache(source, into, length) : -1;
    if (read < 0) {
      // Whatever the disk said to the other way, this one tells what there is to tell.
      source->is_past_cache = false;
      read = pread(source->fd, into, length, source->position);
      if (read < 0 && errno == EINTR) continue;
      if (read < 0) return -errno;
    }
    if (read == 0) return 2;
    into += read;
    length -= (size_t)read;
    source->position += read;
  }
  return 0;
}
