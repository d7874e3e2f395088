"""Takes a file system's power away: python3 power_off.py DIRECTORY DEVICE_ID

Prints "ready", waits for a line on standard input, then shuts the file system of DIRECTORY down with the ioctl of ext4 and xfs. The line says
how: "1" writes the journal out first, "2" does not, "check" only asks the guard. The guard refuses every file system but the one with
DEVICE_ID (a number of stat(2)), and the root's in any case.
"""

import fcntl
import os
import struct
import sys

SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125  # _IOR('X', 125, u32)


def main():
    directory, device = sys.argv[1], int(sys.argv[2])
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    print("ready", flush=True)
    how = sys.stdin.readline().strip()
    found = os.fstat(fd).st_dev
    if found != device or found == os.stat("/").st_dev:
        print("refused", flush=True)
        return 1
    if how != "check":
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", int(how)))
    os.close(fd)
    print("off", flush=True)
    return 0


sys.exit(main())
