/* guest.h for the host: PROGRAM INPUTS OUTPUT. The output file holds the output bytes as they are. */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t *inputs;
static FILE *output;

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "%s %s\n", what, path);
    exit(125);
}

static const uint8_t *read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail("cannot read", path);
    }
    long size = ftell(file);
    rewind(file);
    /* exactly the file's size, so that a sanitizer sees a read
     * past the inputs */
    void *bytes = malloc(size > 0 ? (size_t)size : 1);
    if (bytes == NULL || size < 0 || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        fail("cannot read", path);
    }
    fclose(file);
    return bytes;
}

void guest_write(const void *data, size_t size)
{
    if (fwrite(data, 1, size, output) != size) {
        fail("cannot write", "the output");
    }
}

void guest_exit(int code)
{
    if (fclose(output) != 0) {
        fail("cannot write", "the output");
    }
    exit(code);
}

const uint8_t *guest_inputs(void)
{
    return inputs;
}

uint32_t guest_stack_paint(void)
{
    return 0;
}

uint32_t guest_stack_used(void)
{
    return 0;
}

void guest_mark(void)
{
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fail("usage:", "PROGRAM INPUTS OUTPUT");
    }
    inputs = read_all(argv[1]);
    output = fopen(argv[2], "wb");
    if (output == NULL) {
        fail("cannot write", argv[2]);
    }
    guest_exit(guest_main());
}
