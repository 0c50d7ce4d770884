/* Replays a corpus through a fuzz target where libFuzzer is absent: ctest always runs it. */
#include <dirent.h>
#include <stdint.h>

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return 1;
	}
	struct buf b;
	buf_init(&b, 16 << 20);
	char chunk[65536];
	size_t n;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		if (buf_put(&b, chunk, n) < 0)
			break;
	fclose(f);
	/* an exact heap copy, so that AddressSanitizer sees one octet too far */
	uint8_t *exact = malloc(b.len ? b.len : 1);
	if (b.len)
		memcpy(exact, b.p, b.len);
	LLVMFuzzerTestOneInput(exact, b.len);
	free(exact);
	buf_free(&b);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned files = 0;
	int bad = 0;
	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		if (!d) {
			bad |= replay(argv[i]);
			files++;
			continue;
		}
		for (struct dirent *e; (e = readdir(d)) != NULL;) {
			char path[4096];
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			bad |= replay(path);
			files++;
		}
		closedir(d);
	}
	printf("%u inputs replayed\n", files);
	return bad || files == 0;
}
