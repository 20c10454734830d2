#include "textflag.h"

// Numbers of the kernel's headers.
#define SYS_read 0
#define SYS_write 1
#define SYS_mmap 9
#define SYS_rt_sigaction 13
#define SYS_rt_sigprocmask 14
#define SYS_fcntl 72
#define SYS_getrlimit 97
#define SYS_exit_group 231
#define F_GETFD 1
#define F_SETFD 2
#define FD_CLOEXEC 1
#define EINTR 4
#define EBADF 9
#define RLIMIT_AS 9
#define SIG_IGN 1
#define PROT_READ_WRITE 3
#define MAP_PRIVATE_ANONYMOUS 0x22
#define MAX_ERRNO 4095

// vmblame_entry is where the kernel starts this executable (the linker's flag -E, see Makefile). If it is the launch helper
// (launcher.go) it does its work right here: Go's runtime would take longer to start than all the rest of a launch. Else
// what Go's runtime changes before any Go code runs is looked at (entry.go), and the stack stays as the kernel left it.
TEXT vmblame_entry(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	CMPQ 0(SP), $3 // argc
	JNE  vmblame
	MOVQ 8(SP), SI // argv[0]
	MOVQ ·helper+0(SB), DI
	MOVQ ·helper+8(SB), CX
name:
	MOVB (SI), AX
	CMPB AX, (DI)
	JNE  vmblame
	INCQ SI
	INCQ DI
	DECQ CX
	JNE  name
	MOVQ 16(SP), SI
	CALL vmblame_number(SB)
	MOVQ AX, R12 // the descriptor of the script
	MOVQ 24(SP), SI
	CALL vmblame_number(SB)
	MOVQ AX, R13 // the descriptor of messages
	JMP  vmblame_helper(SB)

vmblame:
	XORL R12, R12 // the descriptor
	XORL R13, R13 // those that are closed
descriptor:
	MOVL $SYS_fcntl, AX
	MOVL R12, DI
	MOVL $F_GETFD, SI
	XORL DX, DX
	SYSCALL
	CMPQ AX, $-EBADF
	JNE  open
	MOVL R12, CX
	MOVL $1, BX
	SHLL CX, BX
	ORL  BX, R13
open:
	INCL R12
	CMPL R12, $3
	JLT  descriptor
	MOVL R13, ·closed(SB)

	SUBQ $32, SP // struct sigaction of the kernel: the handler first
	XORL R13, R13 // those that are ignored
	MOVL $1, R12 // the signal
signal:
	MOVL $SYS_rt_sigaction, AX
	MOVL R12, DI
	XORL SI, SI
	MOVQ SP, DX
	MOVL $8, R10
	SYSCALL
	TESTQ AX, AX
	JNE  looked
	CMPQ 0(SP), $SIG_IGN
	JNE  looked
	LEAL -1(R12), CX
	MOVL $1, BX
	SHLQ CX, BX
	ORQ  BX, R13
looked:
	INCL R12
	CMPL R12, $64
	JLE  signal
	MOVQ R13, ·ignored(SB)
	MOVQ $0, 0(SP)
	MOVL $SYS_rt_sigprocmask, AX
	XORL DI, DI
	XORL SI, SI
	MOVQ SP, DX
	MOVL $8, R10
	SYSCALL
	MOVQ 0(SP), BX
	MOVQ BX, ·blocked(SB)
	MOVL $1, ·looked(SB)

	MOVL $SYS_getrlimit, AX // struct rlimit: the soft limit first
	MOVL $RLIMIT_AS, DI
	MOVQ SP, SI
	SYSCALL
	MOVQ 0(SP), BX
	ADDQ $32, SP
	TESTQ AX, AX
	JNE  start
	CMPQ BX, ·leastSpace(SB)
	JCC  start
	MOVL $SYS_write, AX
	MOVL $2, DI
	MOVQ ·tooLittleSpace+0(SB), SI
	MOVQ ·tooLittleSpace+8(SB), DX
	SYSCALL
	MOVL $SYS_exit_group, AX
	MOVL $125, DI
	SYSCALL
start:
	JMP _rt0_amd64_linux(SB)

// vmblame_number returns in AX the number whose decimal digits SI points to.
TEXT vmblame_number(SB), NOSPLIT|NOFRAME, $0
	XORL AX, AX
digit:
	MOVBLZX (SI), CX
	SUBL $0x30, CX
	CMPL CX, $9
	JHI  over
	IMULL $10, AX
	ADDL CX, AX
	INCQ SI
	JMP  digit
over:
	RET

// vmblame_helper is what script.go describes. R12 and R13 are its descriptors; it does not return.
TEXT vmblame_helper(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVL $SYS_fcntl, AX
	MOVL R12, DI
	MOVL $F_SETFD, SI
	MOVL $FD_CLOEXEC, DX
	SYSCALL
	MOVL $SYS_fcntl, AX
	MOVL R13, DI
	MOVL $F_SETFD, SI
	MOVL $FD_CLOEXEC, DX
	SYSCALL
	SUBQ $16, SP // a message: Ready
	MOVQ $0, 0(SP)
	MOVQ $0, 8(SP)
	CALL vmblame_tell(SB)

	MOVQ SP, SI
	MOVL $8, DX
	CALL vmblame_receive(SB)
	MOVQ 0(SP), R14 // its length
	MOVL $SYS_mmap, AX
	XORL DI, DI
	MOVQ R14, SI
	MOVL $PROT_READ_WRITE, DX
	MOVL $MAP_PRIVATE_ANONYMOUS, R10
	MOVQ $-1, R8
	XORL R9, R9
	SYSCALL
	CMPQ AX, $-MAX_ERRNO
	JCC  give_up
	MOVQ AX, R15 // the script
	LEAQ 8(R15), SI
	LEAQ -8(R14), DX
	CALL vmblame_receive(SB)

	MOVQ 8(R15), CX // how many pointers it has
	LEAQ 16(R15), BX
pointer:
	TESTQ CX, CX
	JEQ  step
	MOVQ (BX), AX
	ADDQ R15, (R15)(AX*1)
	ADDQ $8, BX
	DECQ CX
	JMP  pointer

step: // BX points to it
	MOVQ 0(BX), AX
	MOVQ 8(BX), DI
	MOVQ 16(BX), SI
	MOVQ 24(BX), DX
	MOVQ 32(BX), R10
	MOVQ 40(BX), R8
	MOVQ 48(BX), R9
	SYSCALL
	MOVQ 56(BX), CX
	MOVQ AX, (CX)
	CMPQ AX, $-MAX_ERRNO
	JCC  failed
	ADDQ 64(BX), BX
	ADDQ $88, BX
	JMP  step
failed:
	NEGQ AX
	CMPQ 72(BX), $-1 // anyError
	JEQ  tolerated
	CMPQ 72(BX), AX
	JEQ  tolerated
	MOVQ 80(BX), CX
	MOVQ CX, 0(SP)
	MOVQ AX, 8(SP)
	CALL vmblame_tell(SB)
give_up:
	MOVL $SYS_exit_group, AX
	MOVL $125, DI
	SYSCALL
tolerated:
	ADDQ $88, BX
	JMP  step

// vmblame_tell sends the message that stands on its caller's stack.
TEXT vmblame_tell(SB), NOSPLIT|NOFRAME, $0
	MOVL $SYS_write, AX
	MOVL R13, DI
	LEAQ 8(SP), SI // above the return address
	MOVL $16, DX
	SYSCALL
	RET

// vmblame_receive reads DX bytes to SI. If there are none vmblame has ended, and so does the helper.
TEXT vmblame_receive(SB), NOSPLIT|NOFRAME, $0
receive:
	TESTQ DX, DX
	JEQ  received
	XORL AX, AX // SYS_read
	MOVL R12, DI
	SYSCALL
	CMPQ AX, $-EINTR
	JEQ  receive
	TESTQ AX, AX
	JLE  ended
	ADDQ AX, SI
	SUBQ AX, DX
	JMP  receive
ended:
	MOVL $SYS_exit_group, AX
	MOVL $125, DI
	SYSCALL
received:
	RET
