package fence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unsafe"

	seccomp "github.com/elastic/go-seccomp-bpf"
	landlock "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The rights that Landlock knows, as ever higher versions of its interface
// (landlock(7), "Landlock ABI").
const (
	readFile = landlock.AccessFSReadFile
	readDir  = landlock.AccessFSReadDir
	run      = landlock.AccessFSExecute

	writeFile = landlock.AccessFSWriteFile | landlock.AccessFSTruncate
	// No device files: even root makes none in a pod.
	writeDir = landlock.AccessFSRemoveDir | landlock.AccessFSRemoveFile | landlock.AccessFSMakeDir | landlock.AccessFSMakeReg |
		landlock.AccessFSMakeSock | landlock.AccessFSMakeFifo | landlock.AccessFSMakeSym | landlock.AccessFSRefer

	files1 = run | readFile | readDir | landlock.AccessFSWriteFile | landlock.AccessFSRemoveDir | landlock.AccessFSRemoveFile |
		landlock.AccessFSMakeChar | landlock.AccessFSMakeDir | landlock.AccessFSMakeReg | landlock.AccessFSMakeSock |
		landlock.AccessFSMakeFifo | landlock.AccessFSMakeBlock | landlock.AccessFSMakeSym
	files2 = files1 | landlock.AccessFSRefer
	files3 = files2 | landlock.AccessFSTruncate
	files5 = files3 | landlock.AccessFSIoctlDev

	portsABI   = 4
	deviceABI  = 5
	signalsABI = 6
	// sameProcess is the correction after which a thread in a fence may signal
	// the other threads of its own process, which Go's scheduler does.
	sameProcess = 1 << 1
)

// Probe asks the kernel what it has.
func Probe() Kernel {
	version, err := landlock.LandlockGetABIVersion()
	if err != nil {
		return Kernel{}
	}
	k := Kernel{Landlock: version, Ports: version >= portsABI, Sockets: seccomp.Supported()}
	if version >= signalsABI {
		errata, err := landlock.LandlockGetErrata()
		k.Signals = err == nil && errata&sameProcess != 0
	}
	return k
}

// attributes says what the kernel is to deny unless a rule allows it.
func (k Kernel) attributes() landlock.RulesetAttr {
	a := landlock.RulesetAttr{HandledAccessFS: files2}
	if k.Landlock > minimalABI {
		a.HandledAccessFS = files3
	}
	if k.Landlock >= deviceABI {
		a.HandledAccessFS = files5
	}
	if k.Ports {
		a.HandledAccessNet = landlock.AccessNetBindTCP | landlock.AccessNetConnectTCP
	}
	if k.Signals {
		a.Scoped = landlock.ScopeSignal | landlock.ScopeAbstractUnixSocket
	}
	return a
}

// Confine confines the calling thread, and what it starts from now on, for
// ever. The caller has locked its goroutine to the thread, and never unlocks it:
// the thread ends with the goroutine then.
func (r Rules) Confine() error {
	k := Probe()
	if !k.Confines() {
		return errors.New("this kernel cannot confine processes; `fluxdemo up --no-fence` runs pods without a fence")
	}
	attributes := k.attributes()
	if r.Outward {
		attributes.HandledAccessNet &^= landlock.AccessNetConnectTCP
	}
	ruleset, err := landlock.LandlockCreateRuleset(&attributes, 0)
	if err != nil {
		return fmt.Errorf("making Landlock's rules: %w", err)
	}
	defer unix.Close(ruleset)
	if err := r.fill(ruleset, attributes); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	if err := landlock.LandlockRestrictSelf(ruleset, 0); err != nil {
		return fmt.Errorf("applying Landlock's rules: %w", err)
	}
	return onlyTCP()
}

func (r Rules) fill(ruleset int, handled landlock.RulesetAttr) error {
	for _, each := range []struct {
		paths     []string
		file, dir uint64 // rights on a file, and those that only a folder has
	}{
		{r.Run, run | readFile, readDir},
		{r.Read, readFile, readDir},
		{r.Write, readFile | writeFile, readDir | writeDir},
		{r.Devices, readFile | writeFile | landlock.AccessFSIoctlDev, readDir},
	} {
		for _, path := range each.paths {
			if err := r.allow(ruleset, path, each.file&handled.HandledAccessFS, each.dir&handled.HandledAccessFS); err != nil {
				return fmt.Errorf("allowing %s: %w", path, err)
			}
		}
	}
	for access, ports := range map[uint64][]int{landlock.AccessNetBindTCP: r.Bind, landlock.AccessNetConnectTCP: r.Connect} {
		if handled.HandledAccessNet&access == 0 {
			continue
		}
		for _, port := range ports {
			if err := landlock.LandlockAddNetPortRule(ruleset, &landlock.NetPortAttr{AllowedAccess: access, Port: uint64(port)}, 0); err != nil {
				return fmt.Errorf("allowing port %d: %w", port, err)
			}
		}
	}
	return nil
}

// allow adds a rule for a path, if it exists.
func (r Rules) allow(ruleset int, path string, file, dir uint64) error {
	at, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(at)
	if r.Pods != "" && strings.HasPrefix(path, r.Pods+"/") {
		if real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", at)); err != nil || real != path {
			return errors.New("a symbolic link in the volume leads out of it")
		}
	}
	var stat unix.Stat_t
	if err := unix.Fstat(at, &stat); err != nil {
		return err
	}
	access := file
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		access |= dir
	}
	return landlock.LandlockAddPathBeneathRule(ruleset, &landlock.PathBeneathAttr{AllowedAccess: access, ParentFd: at}, 0)
}

// Offsets in the kernel's struct seccomp_data (seccomp(2)).
const archOffset = 4

// fastOpen is MSG_FASTOPEN: it connects a socket without connect(2), which is
// what Landlock looks at.
const fastOpen = 0x20000000

// notStream are the bits of a socket's type that SOCK_STREAM has not.
const notStream = 0xe

// onlyTCP leaves the thread no sockets but those that Landlock's rules for ports
// cover. UDP, raw, and unix sockets (etcd's and a container engine's among
// them), multipath TCP, and io_uring, which seccomp cannot see into, all go.
func onlyTCP() error {
	policy := seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{{
			Action: seccomp.ActionErrno, // EPERM
			Names:  []string{"io_uring_setup", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "bpf", "add_key", "request_key", "keyctl"},
			NamesWithCondtions: []seccomp.NameWithConditions{
				{Name: "socket", Conditions: seccomp.ArgumentConditions{
					{Argument: 0, Operation: seccomp.NotEqual, Value: unix.AF_INET}, {Argument: 0, Operation: seccomp.NotEqual, Value: unix.AF_INET6},
				}},
				{Name: "socket", Conditions: seccomp.ArgumentConditions{{Argument: 1, Operation: seccomp.BitsSet, Value: notStream}}},
				{Name: "socket", Conditions: seccomp.ArgumentConditions{
					{Argument: 2, Operation: seccomp.NotEqual, Value: 0}, {Argument: 2, Operation: seccomp.NotEqual, Value: unix.IPPROTO_TCP},
				}},
				{Name: "sendto", Conditions: seccomp.ArgumentConditions{{Argument: 3, Operation: seccomp.BitsSet, Value: fastOpen}}},
				{Name: "sendmsg", Conditions: seccomp.ArgumentConditions{{Argument: 2, Operation: seccomp.BitsSet, Value: fastOpen}}},
				{Name: "sendmmsg", Conditions: seccomp.ArgumentConditions{{Argument: 3, Operation: seccomp.BitsSet, Value: fastOpen}}},
			},
		}},
	}
	instructions, err := policy.Assemble()
	if err != nil {
		return fmt.Errorf("making the filter of system calls: %w", err)
	}
	raw, err := bpf.Assemble(append(otherNumbers(instructions), instructions...))
	if err != nil {
		return fmt.Errorf("making the filter of system calls: %w", err)
	}
	filter := make([]unix.SockFilter, 0, len(raw))
	for _, i := range raw {
		filter = append(filter, unix.SockFilter{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); failed != 0 {
		return fmt.Errorf("applying the filter of system calls: %w", os.NewSyscallError("seccomp", failed))
	}
	return nil
}

// otherNumbers is the beginning of the filter. It refuses the system calls of
// other kinds of programs (32-bit ones on a 64-bit machine), which have other
// numbers, and which the rest of the filter lets pass. The policy's second
// instruction names this machine's kind.
func otherNumbers(policy []bpf.Instruction) []bpf.Instruction {
	var kind uint32
	if jump, ok := policy[1].(bpf.JumpIf); ok {
		kind = jump.Val
	}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: archOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: kind, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
	}
}
