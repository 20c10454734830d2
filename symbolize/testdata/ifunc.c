// An IFUNC whose resolver has a symbol that would be the better name of its code.
static int one(int x) { return x + 1; }
static int two(int x) { return x + 2; }
volatile int which;
void *r(void) { return which ? (void *)one : (void *)two; }
int chosen_at_start(int) __attribute__((ifunc("r")));
int main(int argc, char **argv) { return chosen_at_start(argc) + !argv; }
