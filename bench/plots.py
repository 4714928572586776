"""The report's pictures, by gnuplot."""
import os
import subprocess

import figures
import laws

SIZE = "set terminal svg size 1000,420 font 'sans,12' background '#ffffff'\n"
WIDE = SIZE.replace("1000", "1300")
COLOURS = {"metaward": "#1b6ca8", "haproxy-2": "#c0392b", "haproxy-1": "#e59866", "haproxy-reuse": "#922b21", "beside": "#5dade2",
           "metaward-daemon-shared": "#17a589", "metaward-daemon-network": "#76d7c4", "nginx": "#27ae60", "python": "#8e44ad", "floor": "#7f8c8d"}


def gnuplot(path, script, size=SIZE):
    subprocess.run(["gnuplot"], input=size + "set output '%s'\n" % path + script, text=True, check=True)


def block(name, rows):
    return "$%s << EOD\n%s\nEOD\n" % (name, "\n".join(" ".join('"%s"' % c if isinstance(c, str) else str(c) for c in row)
                                                    for row in rows))


def bars(path, title, label, works, order, value, scale=""):
    """Groups of bars: one group a work, one bar a subject. `works`: pairs of a short title, with | between lines, and a work."""
    titles = {name: work["subjects"][name]["title"] for _, work in works for name in work["subjects"]}
    names = [name for name in order if name in titles]
    rows = [[value(work["subjects"].get(name)) for name in names] for _, work in works]
    shorts = ", ".join('"%s" %d' % (short.replace("|", "\\n"), i) for i, (short, _) in enumerate(works))
    plots = ", ".join("$data using %d title '%s' linecolor rgb '%s'" % (i + 1, titles[name], COLOURS[name])
                      for i, name in enumerate(names))
    gnuplot(path, block("data", rows) + """
set title '%s'
set ylabel '%s'
set style data histogram
set style histogram clustered gap 1
set style fill solid noborder
set grid ytics
set xtics scale 0 (%s)
set xrange [-0.6:%d.6]
set format y '%%.10g'
set bmargin 3
set key outside right top
set datafile missing 'NaN'
set yrange [%s:*]
%s
plot %s
""" % (title, label, shorts, len(works) - 1, "50" if "log" in scale else "0", scale, plots), WIDE)


def number(value):
    return "NaN" if value is None else value


def latencies(path, work, order):
    """Times of answers over the share of answers that took longer."""
    script, plots = "", []
    for name in (n for n in order if n in work["subjects"] and work["subjects"][n]["equal"]):
        times = list(zip(*work["subjects"][name]["times"]))
        left = total = sum(count for _, count in times)
        rows = []
        for value, count in times:
            rows.append((total / left, value))
            left -= count
        label = name.replace("-", "_")
        script += block(label, [row for row in rows if row[0] <= total / 10])
        plots.append("$%s using 1:2 with lines linewidth 2 linecolor rgb '%s' title '%s'" % (
            label, COLOURS[name], work["subjects"][name]["title"]))
    if not plots:
        return
    gnuplot(path, script + """
set title '%s, %d requests/s: time of an answer, from when it was due'
set xlabel 'percentile'
set ylabel 'microseconds'
set logscale xy
set xtics ('50' 2, '90' 10, '99' 100, '99.9' 1000, '99.99' 10000)
set grid
set key outside right top
plot %s
""" % (work["title"], work["rate"], ", ".join(plots)), WIDE)


def over(points, value, law=None):
    """One plot of a value over a number, a line a subject; with `law`, points, and the fitted line through them."""
    script, plots = "", []
    for name, found in laws.by_subject(points).items():
        label = "over%d" % over.count
        over.count += 1
        script += block(label, [(point["at"], value(point)) for point in found])
        style = "points pointtype 7" if law else "linespoints linewidth 2 pointtype 7"
        plots.append("$%s using 1:2 with %s linecolor rgb '%s' title '%s'" % (label, style, COLOURS[name], found[0]["title"]))
        if law:
            fitted = law(found)
            plots.append("[x=%d:%d] %g + %g * x with lines linecolor rgb '%s' notitle" % (
                found[0]["at"], found[-1]["at"], fitted.base, fitted.each, COLOURS[name]))
    return script + "plot %s\n" % ", ".join(plots)


over.count = 0


def side_by_side(path, *plots):
    """(title, label of x, label of y, settings, what over() made), from left to right."""
    script = """set multiplot layout 1,%d margins 0.06,0.73,0.14,0.90 spacing 0.07
set logscale x
set grid
set format '%%.0f'
set key at screen 0.995,0.90 right top
""" % len(plots)
    for title, x, y, settings, made in plots:
        script += "set title '%s'\nset xlabel '%s'\nset ylabel '%s'\n%s\n%sunset key\n" % (title, x, y, settings, made)
    gnuplot(path, script + "unset multiplot\n", WIDE)


def draw_scaling(scaling, directory):
    memory, cost = "set logscale y\nset yrange [*:*]", "unset logscale y\nset yrange [0:*]"
    side_by_side(os.path.join(directory, "networks.svg"),
                 ("Private memory, idle, and its law", "networks", "kB", memory,
                  over(scaling["networks"], lambda p: p["kb"], laws.line)),
                 ("CPU per request, 1000 guests", "networks", "microseconds", cost, over(scaling["networks"], laws.cost)))
    side_by_side(os.path.join(directory, "connections.svg"),
                 ("Private memory, and its law", "idle connections", "kB", memory, over(scaling["idle"], lambda p: p["kb"], laws.line)),
                 ("CPU per request of 16 guests", "idle connections", "microseconds", cost, over(scaling["idle"], laws.cost)),
                 ("CPU per request", "connections that ask", "microseconds", cost, over(scaling["active"], laws.cost)))
    few = "set xtics (%s)\nset xrange [1:*]" % ", ".join("%d" % p["at"] for p in scaling["workers"])
    side_by_side(os.path.join(directory, "workers.svg"),
                 ("Requests per second, 100 networks", "workers", "", cost + "\n" + few, over(scaling["workers"], laws.per_second)),
                 ("CPU per request", "workers", "microseconds", cost, over(scaling["workers"], laws.cost)))


def draw(results, directory, order):
    works = results["works"]
    if "scaling" in results:
        draw_scaling(results["scaling"], directory)

    def chosen(**titles):
        names = {name.replace("_", "-"): title for name, title in titles.items()}
        return [(title, works[name]) for name, title in names.items() if name in works]

    without_python = [name for name in order if name != "python"]
    cpu = chosen(keep="keep-alive", close="one a connection", keep_log="keep-alive,|with logging",
                 close_log="one a connection,|with logging", reuse="agent's connection|kept")
    if cpu:
        bars(os.path.join(directory, "cpu.svg"), "CPU per request", "microseconds", cpu, without_python,
             lambda s: number(s and figures.median(s, "closed", "cpu_us")))
    if "keep" in works:
        latencies(os.path.join(directory, "latency.svg"), works["keep"], order)
    weights = chosen(keep="16 guests", held="1000 idle|connections", networks_100="100 networks", networks_1000="1000 networks")
    if weights:
        bars(os.path.join(directory, "memory.svg"), "Private memory under load", "kB, logarithmic", weights, order,
             lambda s: number(s and s["loaded"]["kb"]), "set logscale y")
    boots = chosen(boot="agent answers at once", boot_slow="agent takes 20 ms")
    if boots:
        bars(os.path.join(directory, "boot.svg"), "100 guests boot at once: until the last has its last answer", "seconds",
             boots, without_python, lambda s: number(s and figures.median(s, "closed", "seconds")))
