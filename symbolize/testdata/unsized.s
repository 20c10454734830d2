# Functions without a size: with and without unwind table entries, before and after each other, with labels.
	.text
	.globl with_fde, plain_a, plain_b, last, sized
	.p2align 4
	.type with_fde, @function
with_fde:
	.cfi_startproc
	nop
	nop
	ret
	.cfi_endproc
	.skip 13, 0xcc          # belongs to nobody: after the unwind table entry
	.p2align 4
plain_a:                        # no type, no size, no unwind table entry
	nop
	ret
	.p2align 4
plain_b:
	nop
	ret
	.skip 14, 0xcc
	.p2align 4
	.type sized, @function
sized:
	nop
inner:                          # a label in a function with a size
	nop
	ret
	.size sized, .-sized
	.skip 13, 0xcc          # after a function that ends
	.p2align 4
	.type last, @function
last:
	nop
	ret
	.section elsewhere, "ax"
	nop
	.section .note.GNU-stack, "", @progbits
