#!/usr/bin/perl
# Tries what the service must not be able to do, and what it must. Prints a line for each, "NAME: done" or
# "NAME: refused: WHY"; the names of what must be possible start with a plus. Meant to be run as ExecStartPre= of
# roomcam.service, and so with the user, the name spaces, the devices and the system calls of the daemon; and, so
# that a refusal proves something, by root outside of all that, where everything is possible and nothing does harm.
# Each attempt is a process of its own, because some end theirs.
use strict;
use warnings;
use Errno qw(EACCES EPERM);
use Socket;

# Perl has no words for these. System calls have arm64's numbers.
use constant {
    SYS_MKNODAT => 33, SYS_MOUNT => 40, SYS_PERSONALITY => 92, SYS_UNSHARE => 97, SYS_INIT_MODULE => 105,
    SYS_CLOCK_SETTIME => 112, SYS_SYSLOG => 116, SYS_PTRACE => 117, SYS_SCHED_SETSCHEDULER => 119,
    SYS_REBOOT => 142, SYS_SETHOSTNAME => 161, SYS_MMAP => 222, SYS_SWAPOFF => 225, SYS_BPF => 280,
    AT_FDCWD => -100, S_IFBLK => 0060000, SD_CARD => 0xb300, ADDR_NO_RANDOMIZE => 0x40000,
    CLONE_NEWUSER => 0x10000000, CLONE_NEWNET => 0x40000000, CLOCK_REALTIME => 0, READ_ALL => 3,
    PTRACE_TRACEME => 0, SCHED_FIFO => 1, REBOOT_MAGIC1 => 0xfee1dead, REBOOT_MAGIC2 => 672274793,
    REBOOT_CAD_OFF => 0, PROT_READ_WRITE_EXEC => 7, MAP_PRIVATE_ANONYMOUS => 0x22, BPF_PROG_LOAD => 5,
    AF_PACKET => 17, IPPROTO_ICMP => 1,
};

sub reads {
    my $path = shift;
    return sub { open(my $file, '<', $path) or return; defined(sysread($file, my $byte, 1)) };
}
sub opens { my ($mode, $path) = @_; return sub { open(my $file, $mode, $path) } }
sub lists { my $path = shift; return sub { opendir(my $folder, $path) } }
sub creates { my $path = shift; return sub { open(my $file, '>', $path) and unlink($path) } }
sub connects { my @socket = @_; return sub { socket(my $socket, $socket[0], $socket[1], $socket[2]) } }

# A call that fails for another reason than that it is forbidden was not refused.
sub calls {
    my ($number, @arguments) = @_;
    return sub { syscall($number, @arguments) >= 0 || ($! != EPERM && $! != EACCES) };
}

sub makes_setuid_program {
    my $path = "$ENV{STATE_DIRECTORY}/program";
    open(my $file, '>', $path) or return;
    my $done = chmod(04755, $path);
    my $error = $!;
    unlink($path);
    $! = $error;
    return $done;
}

sub makes_device_node {
    my $path = "$ENV{STATE_DIRECTORY}/node";
    my $done = syscall(SYS_MKNODAT, AT_FDCWD, $path, S_IFBLK | 0600, SD_CARD) == 0;
    unlink($path) if $done;
    return $done;
}

my $zeros = "\0" x 4096;
my $no_type = 'no such file system';
my $here = '/tmp';
my $hostname = 'pi';
my $priority = pack('i', 1);
my $now = pack('qq', time, 0);

my @attempts = (
    'change the configuration' => opens('>>', '/etc/roomcam/config.toml'),
    'put a program into /usr/bin' => creates('/usr/bin/intruder'),
    'put a unit into /etc' => creates('/etc/systemd/system/intruder.service'),
    'write into /var/lib' => creates('/var/lib/intruder'),
    'write into /boot' => creates('/boot/intruder'),
    'look into /root' => lists('/root'),
    'look into /home' => lists('/home'),
    'read /etc/shadow' => reads('/etc/shadow'),
    'see other processes' => reads('/proc/1/cmdline'),
    'read the SD card' => reads('/dev/mmcblk0'),
    'open all memory' => opens('<', '/dev/mem'),
    'write to the kernel log' => opens('>', '/dev/kmsg'),
    'read the kernel log' => calls(SYS_SYSLOG, READ_ALL, $zeros, 4096),
    'write to the serial port' => opens('>', '/dev/ttyS1'),
    'make a device node' => \&makes_device_node,
    'mount a file system' => calls(SYS_MOUNT, $no_type, $here, $no_type, 0, 0),
    'load a kernel module' => calls(SYS_INIT_MODULE, $zeros, 4096, $zeros),
    'change a kernel setting' => opens('>>', '/proc/sys/kernel/panic'),
    'leave its control group' => opens('>>', '/sys/fs/cgroup/cgroup.procs'),
    'rename the machine' => calls(SYS_SETHOSTNAME, $hostname, length $hostname),
    'set the clock' => calls(SYS_CLOCK_SETTIME, CLOCK_REALTIME, $now),
    'reboot' => calls(SYS_REBOOT, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_CAD_OFF, 0),
    'make a user namespace' => calls(SYS_UNSHARE, CLONE_NEWUSER),
    'make a network namespace' => calls(SYS_UNSHARE, CLONE_NEWNET),
    'become root' => sub { $! = EPERM; $> = 0; $> == 0 },
    'make a program that runs as its owner' => \&makes_setuid_program,
    'run with real-time priority' => calls(SYS_SCHED_SETSCHEDULER, 0, SCHED_FIFO, $priority),
    'change its personality' => calls(SYS_PERSONALITY, ADDR_NO_RANDOMIZE),
    'trace or be traced' => calls(SYS_PTRACE, PTRACE_TRACEME, 0, 0, 0),
    'have memory that it can write and run' =>
        calls(SYS_MMAP, 0, 4096, PROT_READ_WRITE_EXEC, MAP_PRIVATE_ANONYMOUS, -1, 0),
    'load a BPF program' => calls(SYS_BPF, BPF_PROG_LOAD, $zeros, 64),
    'switch swap off' => calls(SYS_SWAPOFF, $here),
    'hear every packet' => connects(AF_PACKET, SOCK_RAW, 0),
    'forge packets' => connects(AF_INET, SOCK_RAW, IPPROTO_ICMP),

    '+ open the camera' => opens('+<', '/dev/video0'),
    '+ open the sound card' => opens('+<', '/dev/snd/controlC0'),
    '+ open the GPIO chip' => opens('+<', '/dev/gpiochip0'),
    '+ open the GPIO registers' => opens('+<', '/dev/gpiomem'),
    '+ read the configuration' => reads('/etc/roomcam/config.toml'),
    '+ read its token' => reads("$ENV{CREDENTIALS_DIRECTORY}/token"),
    '+ keep its state' => creates("$ENV{STATE_DIRECTORY}/probe"),
    '+ keep a cache' => creates("$ENV{CACHE_DIRECTORY}/probe"),
    '+ make its socket' => creates("$ENV{RUNTIME_DIRECTORY}/probe"),
    '+ reach the network' => connects(AF_INET, SOCK_STREAM, 0),
);

$| = 1;
while (my ($what, $attempt) = splice(@attempts, 0, 2)) {
    my $child = fork() // die "fork: $!";
    if (!$child) {
        $! = 0;
        exit 0 if $attempt->();
        print "$what: refused: $!\n";
        exit 1;
    }
    waitpid($child, 0);
    printf "%s: refused: killed by signal %d\n", $what, $? & 127 if $? & 127;
    print "$what: done\n" if $? == 0;
}
