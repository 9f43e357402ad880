import Foundation

/// A clean Debian with systemd as process 1, in namespaces of its own; gone with the stage it runs on.
struct SystemdRoot {
    /// What the programs' packages depend on, and what the tests look with. Nothing is fetched later.
    private static let packages = [
        "ca-certificates", "curl", "iproute2", "init-system-helpers", "libc-ares2", "libpam-systemd", "libsodium23",
        "libsqlite3-0", "libstdc++6", "passwd", "zlib1g",
    ]

    let stage: Stage
    private let pid: Int

    private struct Facts: Decodable {
        var pid: Int
        var state: String
    }

    /// Boots one. The root on disk is made once for its packages, and kept with what is built.
    static func boot(on stage: Stage) async throws -> SystemdRoot {
        let directory = Stage.package.appendingPathComponent(".build/debian-root").path
        let made = try await stage.call(["make", directory] + packages, within: 600)
        guard made.status == 0 else { throw NotSeen(description: "no Debian root\n\(made.lastWords)") }
        let (_, facts) = try await stage.fixture("systemd-root", "boot", directory, as: Facts.self)
        guard facts.state == "running" else { throw NotSeen(description: "the boot left it \(facts.state)") }
        return SystemdRoot(stage: stage, pid: facts.pid)
    }

    /// Copies files to `/srv`.
    func push(_ files: [String]) async throws {
        let output = try await stage.call(["push", "\(pid)"] + files, within: 120)
        guard output.status == 0 else { throw NotSeen(description: output.lastWords) }
    }

    /// Runs a command inside, whatever comes of it.
    func attempt(_ arguments: String..., within seconds: Double = 120) async throws -> Output {
        try await stage.call(["exec", "\(pid)"] + arguments, within: seconds)
    }

    /// Runs a line of shell inside.
    /// - Throws: `NotSeen` when its exit status is not 0.
    @discardableResult
    func run(_ line: String, within seconds: Double = 120) async throws -> String {
        let output = try await attempt("bash", "-c", line, within: seconds)
        guard output.status == 0 else {
            throw NotSeen(description: "\(line): status \(output.status ?? -1)\n\(output.lastWords)")
        }
        return output.standardOutput
    }

    /// A property of a unit, as `systemctl show` says it.
    func property(_ name: String, of unit: String) async throws -> String {
        try await run("systemctl show --property=\(name) --value \(unit)")
    }
}

extension Stage {
    fileprivate func call(_ arguments: [String], within seconds: Double) async throws -> Output {
        let path = Self.fixtures.appendingPathComponent("systemd-root").path
        return try await finish([path] + arguments, within: seconds)
    }
}
