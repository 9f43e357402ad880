import ArgumentParser
import EdgeStore
import Foundation
import Testing

@testable import EdgeCommands

/// A data directory of its own, and command lines as people and scripts type them, run in this process.
struct TestEdge {
    let path: String

    static func with(_ body: (TestEdge) async throws -> Void) async throws {
        let path = "/tmp/edge-commands-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let command = try EdgeCommand.parseAsRoot(["init", "--data-dir", path, "--zone", "site.test", "--team", "acme"])
        let initialization = try #require(command as? InitCommand)
        let report = try await initialization.outcome()
        #expect(report.json.contains("\"cacert\":\"\(path)/ca.pem\""))
        try await body(TestEdge(path: path))
    }

    func text(_ line: String) async throws -> String {
        let arguments = line.split(separator: " ").map(String.init) + ["--data-dir", path]
        let command = try EdgeCommand.parseAsRoot(arguments)
        let administration = try #require(command as? any AdministrationCommand)
        let report = try await administration.outcome()
        return administration.place.output == .json ? report.json : report.text
    }

    func json(_ line: String) async throws -> [String: Any] {
        let text = try await text(line + " --output json")
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    func failure(_ line: String) async throws -> String {
        do {
            return "no failure: \(try await text(line))"
        } catch {
            return "\(error)"
        }
    }

    func store() async throws -> SQLiteStore {
        try await DataDirectory.open(at: path).openStore()
    }

    /// Writes a file beside the data, and gives its path.
    func file(_ name: String, _ contents: String) throws -> String {
        let file = "\(path)/\(name)"
        try contents.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
