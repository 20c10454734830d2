// stack_lib.h: what libstack.so gives, and what it wants of the program that loads it.
#ifndef STACK_LIB_H
#define STACK_LIB_H

void *lib_call(void *(*f)(unsigned long), unsigned long n); // calls f(n), two frames deeper

void shadow_push(const char *fn, void *ra); // the program's list of return addresses; NULL is a gap
void shadow_pop(void);
void library_is_here(void); // called by the library's constructor

#endif
