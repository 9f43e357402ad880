import Foundation

// What the chain costs, beside plain TCP, a TLS relay and (CLOUDFLARED_PEER) the official client, in one run.
// Prints a Markdown table. Run it with Tests/Benchmarks/run, on a quiet machine.

struct Settings {
    var binaries = ProcessInfo.processInfo.environment["CLOUDFLARED_BIN_DIR"] ?? ".build/release"
    var peer = ProcessInfo.processInfo.environment["CLOUDFLARED_PEER"]
    var mebibytes = Int(ProcessInfo.processInfo.environment["BENCH_MIB"] ?? "") ?? 512
    var rounds = Int(ProcessInfo.processInfo.environment["BENCH_ROUNDS"] ?? "") ?? 3
    var trips = 5_000
    var streams = 1_000
    var idle = 200
}

/// One row of the table, gathered over the rounds.
struct Row {
    var name: String
    var values: [String: [Double]] = [:]
    mutating func add(_ key: String, _ value: Double) { values[key, default: []].append(value) }
    func median(_ key: String) -> Double? {
        guard let sorted = values[key]?.sorted(), !sorted.isEmpty else { return nil }
        return sorted[sorted.count / 2]
    }
}

func runRound(_ contender: Contender, _ settings: Settings, into row: inout Row) throws {
    let gibibytes = Double(settings.mebibytes) / 1024
    let bytes = settings.mebibytes << 20
    let down = try measure(contender.processes) { try Workload.bulkDown(port: contender.port, bytes: bytes) }
    row.add("downCPU", down.totalCPU / gibibytes)
    row.add("downRate", Double(settings.mebibytes) / down.wall)
    let up = try measure(contender.processes) { try Workload.bulkUp(port: contender.port, bytes: bytes) }
    row.add("upCPU", up.totalCPU / gibibytes)
    row.add("upRate", Double(settings.mebibytes) / up.wall)
    if let connector = contender.connector {
        row.add("connectorDown", (down.cpu[connector.name] ?? 0) / gibibytes)
        row.add("connectorUp", (up.cpu[connector.name] ?? 0) / gibibytes)
    }
    var times: [Double] = []
    let trips = try measure(contender.processes) {
        times = try Workload.roundTrips(port: contender.port, count: settings.trips)
    }
    row.add("p50", times[times.count / 2])
    row.add("p99", times[times.count * 99 / 100])
    row.add("tripCPU", trips.totalCPU / Double(settings.trips) * 100_000)
    let short = try measure(contender.processes) {
        try Workload.shortStreams(port: contender.port, count: settings.streams, lanes: 8)
    }
    row.add("streamRate", Double(settings.streams) / short.wall)
    row.add("streamCPU", short.totalCPU / Double(settings.streams) * 10_000)
    if let connector = contender.connector {
        let before = connector.residentKiB
        let sockets = try Workload.idleStreams(port: contender.port, count: settings.idle)
        row.add("idleKiB", Double(connector.residentKiB - before) / Double(settings.idle))
        row.add("rss", Double(before) / 1024)
        for socket in sockets { socket.close() }
    }
    if let startUp = contender.startUp { row.add("startUp", startUp * 1000) }
}

func printTable(_ rows: [Row]) {
    let columns: [(String, String, Int)] = [
        ("down CPU-s/GiB", "downCPU", 2), ("down MiB/s", "downRate", 0), ("up CPU-s/GiB", "upCPU", 2),
        ("up MiB/s", "upRate", 0), ("connector down", "connectorDown", 2), ("connector up", "connectorUp", 2),
        ("round trip p50 µs", "p50", 0), ("p99 µs", "p99", 0),
        ("CPU-s/100k trips", "tripCPU", 1), ("streams/s", "streamRate", 0), ("CPU-s/10k streams", "streamCPU", 1),
        ("idle KiB/stream", "idleKiB", 0), ("connector MiB", "rss", 0), ("start ms", "startUp", 0),
    ]
    print("| | " + columns.map(\.0).joined(separator: " | ") + " |")
    print("|" + String(repeating: "---|", count: columns.count + 1))
    for row in rows {
        let cells = columns.map { column in
            row.median(column.1).map { String(format: "%.\(column.2)f", $0) } ?? "–"
        }
        print("| \(row.name) | " + cells.joined(separator: " | ") + " |")
    }
}

let settings = Settings()
let launched = try Launched()
do {
    defer { launched.stopAll() }
    let origin = try Origin()
    var contenders = [Contender.plain(origin), try Contender.tlsRelay(origin, launched)]
    let ours = settings.binaries + "/cloudflared"
    let setup = try EdgeSetup(binaries: settings.binaries, launched: launched)
    contenders.append(try setup.chain("this project", program: ours, label: "ours", origin: origin))
    if let peer = settings.peer {
        contenders.append(try setup.chain("official client, our edge", program: peer, label: "peer", origin: origin))
    }
    var rows = contenders.map { Row(name: $0.name) }
    for round in 1...settings.rounds {
        for index in contenders.indices {
            FileHandle.standardError.write(Data("round \(round): \(contenders[index].name)\n".utf8))
            try runRound(contenders[index], settings, into: &rows[index])
        }
    }
    printTable(rows)
} catch {
    FileHandle.standardError.write(Data("benchmark: \(error)\n".utf8))
    exit(1)
}
