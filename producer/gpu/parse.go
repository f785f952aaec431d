package gpu

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/proctape/proctape/schema"
)

// What nvidia-smi is asked, man nvidia-smi(1). With csv,noheader,nounits it answers with one line per GPU, or per
// process and GPU: numbers in percent, MiB and degrees Celsius. Its manual does not promise that this stays so, hence
// the strict parsing: what is no such number is unknown.
const (
	gpuQuery = "--query-gpu=index,utilization.gpu,memory.used,memory.total,temperature.gpu"
	appQuery = "--query-compute-apps=gpu_uuid,pid,used_gpu_memory"
)

const (
	maxIndex = 511     // half of the GPUs that a snapshot may hold
	maxMiB   = 1 << 36 // of memory: what 56 bits of address reach
	maxUUID  = 128
	maxLine  = 1024
)

// parseGPU parses one line of the answer to gpuQuery. Where the line names a GPU, its values are taken one by one: one that
// cannot be read is unknown, and odd says what it was. err says that nothing of the line can be used.
func parseGPU(line string) (g schema.GPU, odd, err error) {
	fields, err := split(line, 5)
	if err != nil {
		return schema.GPU{}, nil, err
	}
	index, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil || index > maxIndex {
		return schema.GPU{}, nil, fmt.Errorf("index is %.40q", fields[0])
	}
	g.Index = int(index)
	var oddities []string
	for i, f := range []struct {
		to          *schema.Opt[int64]
		name        string
		most, scale int64
	}{
		{&g.Utilization, "utilization", 100, 10},
		{&g.MemoryUsed, "used memory", maxMiB, 1024},
		{&g.MemoryTotal, "total memory", maxMiB, 1024},
		{&g.Temperature, "temperature", 1000, 10},
	} {
		value, err := parseValue(f.name, fields[i+1], f.most, f.scale)
		if err != nil {
			oddities = append(oddities, err.Error())
		}
		*f.to = value
	}
	if len(oddities) > 0 {
		odd = fmt.Errorf("of GPU %d %s", g.Index, strings.Join(oddities, ", "))
	}
	return g, odd, nil
}

// app is a process on one GPU.
type app struct {
	gpu string // its UUID
	pid int
}

// parseApp parses one line of the answer to appQuery: a process, and the KiB of memory that it holds. Its odd and err are those
// of parseGPU.
func parseApp(line string) (a app, used schema.Opt[int64], odd, err error) {
	fields, err := split(line, 3)
	if err != nil {
		return app{}, used, nil, err
	}
	if fields[0] == "" || len(fields[0]) > maxUUID {
		return app{}, used, nil, fmt.Errorf("GPU is %.40q", fields[0])
	}
	pid, err := strconv.ParseUint(fields[1], 10, 32)
	if err != nil || pid == 0 || pid > math.MaxInt32 {
		return app{}, used, nil, fmt.Errorf("pid is %.40q", fields[1])
	}
	if used, err = parseValue("memory", fields[2], maxMiB, 1024); err != nil {
		odd = fmt.Errorf("of process %d %w", pid, err)
	}
	return app{fields[0], int(pid)}, used, odd, nil
}

// split cuts a line at its commas into so many fields. None that we ask for has a comma in it.
func split(line string, count int) ([]string, error) {
	fields := strings.Split(line, ",")
	if len(line) > maxLine {
		return nil, fmt.Errorf("longer than %d bytes: %.80q", maxLine, line)
	}
	if len(fields) != count {
		return nil, fmt.Errorf("%d fields, not %d: %.80q", len(fields), count, line)
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields, nil
}

// parseValue parses a whole number up to most and multiplies it by scale. Words in brackets say that there is none:
// [N/A], [Not Supported], [Unknown Error], [GPU requires reset], ...
func parseValue(name, s string, most, scale int64) (schema.Opt[int64], error) {
	if s == "N/A" || len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return schema.Opt[int64]{}, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || int64(n) > most {
		return schema.Opt[int64]{}, fmt.Errorf("%s is %.40q", name, s)
	}
	return schema.Some(int64(n) * scale), nil
}
