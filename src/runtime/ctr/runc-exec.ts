import { join } from 'node:path';

/** Where containerd's runc shim keeps the state of its containers, a folder for each namespace. */
const RUNC_ROOT = '/run/containerd/runc';
/** prctl(2): its number, which differs by architecture. */
const PRCTL = process.arch === 'arm64' ? 167 : 157;

/** One more process of a running container, without a terminal. */
export interface AdoptedExec {
  /** Of containerd. */
  readonly namespace: string;
  readonly id: string;
  readonly command: readonly string[];
  /** Where runc writes the number of the process, as the host knows it; removed once it is read. */
  readonly pidFile: string;
  /** Descriptors that are connected; the others are `/dev/null`. */
  readonly streams: readonly (0 | 1 | 2)[];
  /** How long what the process leaves behind may hold its output in silence, in whole seconds upwards. */
  readonly drainMs: number;
}

/**
 * What containerd's shim does for `runc exec --detach`. `ctr tasks exec` would do it, but may lose all that a short command
 * says (decision 0190). In Perl, since Node can neither adopt a process nor make pipes, and a container cannot open
 * `/dev/stdout` again when it is a socket. The process gets a pipe for each stream that is asked for, with a copier behind
 * each; this one adopts it, waits for it and ends with its exit code. What the process leaves behind may hold the pipes:
 * after its end the copiers are given up once nothing comes any more. SIGTERM kills the process.
 */
const ADOPT = `use strict;
my ($prctl, $drain, $streams, $pidfile, @runc) = @ARGV;
my ($leader, $gone, @out, @in, @ends);
$SIG{TERM} = sub { $gone = 1; kill 'KILL', $leader if $leader };
syscall($prctl, 36, 1, 0, 0, 0) == 0 or die "cannot adopt processes: $!\\n";
# Ends with its source, or once nothing came for as long as the parent has told of the end again and again.
sub copy { my ($from, $to) = @_;
  my $quiet = 0;
  $SIG{TERM} = sub { $quiet++ };
  syscall($prctl, 1, 9, 0, 0, 0);
  for (;;) {
    my $size = sysread($from, my $data, 65536);
    if (!$size) { exit 0 if defined $size || $! != 4 || $quiet > $drain; next }
    for (my $at = 0; $at < $size;) {
      my $written = syswrite($to, $data, $size - $at, $at);
      if (defined $written) { $at += $written } elsif ($! != 4) { exit 0 }
    }
    $quiet = 0;
  } }
my @own = (\\*STDIN, \\*STDOUT, \\*STDERR);
for my $fd (split //, $streams) {
  pipe(my $r, my $w) or die "cannot make a pipe: $!\\n";
  my $pid = fork // die "cannot fork: $!\\n";
  if (!$pid) {
    close $_->[1] for @ends;
    if ($fd) { close $w; copy($r, $own[$fd]) } else { close $r; copy($own[0], $w) }
  }
  if ($fd) { close $r; push @out, $pid } else { close $w; push @in, $pid }
  push @ends, [$fd, $fd ? $w : $r];
}
my $runc = fork // die "cannot fork: $!\\n";
if (!$runc) {
  for (@ends) { open($own[$_->[0]], $_->[0] ? '>&' : '<&', $_->[1]) or die "cannot pass a pipe on: $!\\n" }
  exec { $runc[0] } @runc;
  die "cannot run $runc[0]: $!\\n";
}
close $_->[1] for @ends;
sub finish { my ($status) = @_;
  kill 'KILL', @in;
  $SIG{ALRM} = sub { kill 'TERM', @out; alarm 1 };
  alarm 1;
  waitpid $_, 0 for @out;
  exit($status & 127 ? 128 + ($status & 127) : $status >> 8) }
waitpid $runc, 0;
finish($?) if $?;
open(my $file, '<', $pidfile) or die "no number of the process: $!\\n";
$leader = 0 + <$file>;
unlink $pidfile;
kill 'KILL', $leader if $gone;
waitpid $leader, 0;
my $status = $?;
$leader = 0;
finish($status);`;

/** As the container's own process in everything but the command; ends with its exit code, or 255 where it cannot start. */
export function adoptedExecArgv(exec: AdoptedExec): readonly string[] {
  const { namespace, id, command, pidFile, streams, drainMs } = exec;
  return [
    ...['perl', '-e', ADOPT],
    ...[String(PRCTL), String(Math.ceil(drainMs / 1000)), streams.join(''), pidFile],
    ...['runc', '--root', join(RUNC_ROOT, namespace), '--log', '/dev/null'],
    ...['exec', '--tty=false', '--detach', '--pid-file', pidFile, id, ...command],
  ];
}
