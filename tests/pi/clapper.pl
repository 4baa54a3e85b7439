#!/usr/bin/perl
# A clapperboard for the emulated Pi: half a second of white picture and 1 kHz tone, half a second of black and
# silence, COUNT times. The picture changes when the sound card has come to the sample at which the tone does.
# Usage: clapper.pl CAMERA CONTROL WHITE BLACK CARD-STATUS SOUND-DEVICE COUNT
#   CONTROL, WHITE, BLACK: the number of vivid's control for the test pattern, and what to set it to
#   CARD-STATUS: the folder in /proc/asound that tells what the playing side is doing
use strict;
use warnings;

use constant { RATE => 48_000, VIDIOC_S_CTRL => 0xc008561c };

my ($camera, $control, $white, $black, $status, $sound, $count) = @ARGV;

open(my $device, '+<', $camera) or die "$camera: $!";

sub show {
    my $argument = pack('Ll', oct($control), $_[0]);
    ioctl($device, VIDIOC_S_CTRL, $argument) or die "$camera: $!";
}

# The first number after a name in one of the card's files.
sub card {
    my ($file, $name) = @_;
    open(my $lines, '<', "$status/$file") or die "$status/$file: $!";
    while (<$lines>) { return $1 if /^$name\s*:\s*(\d+)/ }
    return;
}

my $half = RATE / 2;
my $tone = pack('s*', map { 16_000 * sin(2 * 3.14159265358979 * 1000 * $_ / RATE) } 0 .. $half - 1);
my $silence = pack('s*', (0) x $half);

show($black);
my $player = fork() // die "fork: $!";
if (!$player) {
    open(my $aplay, '|-', 'aplay', '-q', '-D', $sound, '-t', 'raw', '-f', 'S16_LE', '-r', RATE, '-c', '1',
        '--period-time=10000', '--buffer-time=200000') or die "aplay: $!";
    for (1 .. $count) { print $aplay $silence, $tone }
    print $aplay $silence;
    close($aplay) or die 'aplay failed';
    exit;
}

# The card may run at another rate than ours.
my $rate;
select(undef, undef, undef, 0.002) until $rate = card('hw_params', 'rate');
for my $change (1 .. 2 * $count) {
    my $sample = $change * $rate / 2;
    while ((card('status', 'hw_ptr') // $sample) < $sample) { select(undef, undef, undef, 0.002) }
    show($change % 2 ? $white : $black);
}
waitpid($player, 0);
exit($? >> 8);
