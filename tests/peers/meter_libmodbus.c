/*
 * A small Modbus TCP meter on libmodbus, with fixed registers of mixed types and byte orders.
 *
 * It listens on 127.0.0.1 at the port given (default 0: a free one), prints {"ready": true, "port": N} and
 * serves any unit id, many connections, until its standard input ends.
 *
 *     cc -O1 -o meter_libmodbus meter_libmodbus.c -lmodbus
 *
 * Addresses are zero-based. The order names the bytes as they stand on the wire, `a` the most significant.
 *
 *     table     address  type  order     value
 *     input        0     u16   ab        54321
 *     input        1     i16   ab        -1234
 *     input        2     u32   abcd      3000000000
 *     input        4     i32   cdab      -123456789
 *     input        6     f32   abcd      0.75
 *     input        8     f32   cdab      1.25
 *     input       10     f32   badc      -12.5
 *     input       12     f32   dcba      2700.5
 *     input       14     u64   abcdefgh  1234567890123456789
 *     input       18     i64   ghefcdab  -9876543210
 *     input       22     f64   abcdefgh  3.141592653589793
 *     input       26     f64   hgfedcba  -0.001
 *     holding    100     bcd16 ab        1234
 *     holding    101     bcd32 abcd      12345678
 *     coil       0-3     bool            1 0 1 0
 *     discrete   0-3     bool            0 1 0 1
 *
 * Any other address up to 199 reads 0; beyond that is exception 2.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 200, WAITING = 16 };

/* Write the `size` bytes of `bits`, most significant first, in the order that `order` names. */
static void put(uint16_t *table, int address, const char *order, uint64_t bits)
{
    size_t size = strlen(order);
    for (size_t at = 0; at < size; at += 2) {
        unsigned high = (bits >> 8 * (size - 1 - (size_t)(order[at] - 'a'))) & 0xFF;
        unsigned low = (bits >> 8 * (size - 1 - (size_t)(order[at + 1] - 'a'))) & 0xFF;
        table[address + (int)(at / 2)] = (uint16_t)(high << 8 | low);
    }
}

static uint64_t bits32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t bits64(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static modbus_mapping_t *registers(void)
{
    modbus_mapping_t *map = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    if (map == NULL)
        return NULL;
    uint16_t *input = map->tab_input_registers;
    put(input, 0, "ab", 54321);
    put(input, 1, "ab", (uint16_t)-1234);
    put(input, 2, "abcd", 3000000000u);
    put(input, 4, "cdab", (uint32_t)-123456789);
    put(input, 6, "abcd", bits32(0.75f));
    put(input, 8, "cdab", bits32(1.25f));
    put(input, 10, "badc", bits32(-12.5f));
    put(input, 12, "dcba", bits32(2700.5f));
    put(input, 14, "abcdefgh", 1234567890123456789u);
    put(input, 18, "ghefcdab", (uint64_t)-9876543210);
    put(input, 22, "abcdefgh", bits64(3.141592653589793));
    put(input, 26, "hgfedcba", bits64(-0.001));
    put(map->tab_registers, 100, "ab", 0x1234);
    put(map->tab_registers, 101, "abcd", 0x12345678);
    map->tab_bits[0] = map->tab_bits[2] = 1;
    map->tab_input_bits[1] = map->tab_input_bits[3] = 1;
    return map;
}

static void fail(const char *doing)
{
    fprintf(stderr, "meter_libmodbus: %s: %s\n", doing, modbus_strerror(errno));
    exit(1);
}

/* Answer one request on `line`; 0 if the connection has ended. */
static int serve(modbus_t *modbus, int line, modbus_mapping_t *map)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_set_socket(modbus, line);
    int length = modbus_receive(modbus, request);
    return length != -1 && modbus_reply(modbus, request, length, map) != -1;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    modbus_t *modbus = modbus_new_tcp("127.0.0.1", port);
    if (modbus == NULL)
        fail("cannot make a context");
    modbus_mapping_t *map = registers();
    if (map == NULL)
        fail("cannot make the registers");

    /* A listener of our own: libmodbus turns port 0 into 502. */
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener == -1 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == -1 ||
        bind(listener, (struct sockaddr *)&address, size) == -1 || listen(listener, WAITING) == -1 ||
        getsockname(listener, (struct sockaddr *)&address, &size) == -1)
        fail("cannot listen");
    printf("{\"ready\": true, \"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);

    fd_set open_lines;
    FD_ZERO(&open_lines);
    FD_SET(STDIN_FILENO, &open_lines);
    FD_SET(listener, &open_lines);
    for (;;) {
        fd_set ready = open_lines;
        if (select(FD_SETSIZE, &ready, NULL, NULL, NULL) == -1) {
            if (errno == EINTR)
                continue;
            fail("cannot wait");
        }
        for (int line = 0; line < FD_SETSIZE; line++) {
            if (!FD_ISSET(line, &ready))
                continue;
            if (line == STDIN_FILENO) {
                char ignored[256];
                if (read(line, ignored, sizeof ignored) <= 0)
                    return 0;
            } else if (line == listener) {
                int fresh = accept(listener, NULL, NULL);
                if (fresh >= FD_SETSIZE)
                    close(fresh);
                else if (fresh != -1)
                    FD_SET(fresh, &open_lines);
            } else if (!serve(modbus, line, map)) {
                close(line);
                FD_CLR(line, &open_lines);
            }
        }
    }
}
