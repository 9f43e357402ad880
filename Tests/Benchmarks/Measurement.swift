import Foundation
import Glibc

/// What one workload cost one contender.
struct Measurement {
    var wall: Double
    /// CPU seconds by process of the contender.
    var cpu: [String: Double]
    var totalCPU: Double { cpu.values.reduce(0, +) }
}

/// A process of a contender, seen through /proc.
struct WatchedProcess {
    var name: String
    var pid: Int32

    /// User and system time so far, seconds.
    var cpuSeconds: Double {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = stat.lastIndex(of: ")")
        else { return 0 }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Resident memory, KiB.
    var residentKiB: Int {
        guard let statm = try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8) else { return 0 }
        let fields = statm.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) / 1024 : 0
    }
}

func measure(_ processes: [WatchedProcess], _ body: () throws -> Void) rethrows -> Measurement {
    let before = processes.map(\.cpuSeconds)
    let start = ContinuousClock.now
    try body()
    let wall = ContinuousClock.now - start
    var cpu: [String: Double] = [:]
    for (process, earlier) in zip(processes, before) { cpu[process.name, default: 0] += process.cpuSeconds - earlier }
    return Measurement(wall: wall.seconds, cpu: cpu)
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
