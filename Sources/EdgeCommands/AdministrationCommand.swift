package import ArgumentParser
import EdgeStore
import Foundation
import ServiceHost

/// A command on an edge's data directory. Works whether the edge runs or not: a running one sees the change.
package protocol AdministrationCommand: AsyncParsableCommand {
    var place: DataDirectoryOptions { get }

    /// Does the work and says what came of it; prints nothing.
    func perform(_ administration: Administration) async throws -> Report
}

extension AdministrationCommand {
    package func run() async throws {
        try await outcome().print(as: place.output)
    }

    /// Opens the directory, does the work, closes.
    package func outcome() async throws -> Report {
        let administration = try await Administration(place)
        return try await administration.store.closing { try await perform(administration) }
    }
}

/// `--data-dir` and `--output`, which every administration command has.
package struct DataDirectoryOptions: ParsableArguments {
    @Option(name: .customLong("data-dir"), help: ArgumentHelp("The edge's data directory.", valueName: "D"))
    package var dataDirectory: String

    @Option(help: "How to print the result: text or json.")
    package var output: OutputFormat = .text

    package init() {}
}

package enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json
}

/// The data directory a command works on.
package struct Administration: Sendable {
    let directory: DataDirectory
    let store: SQLiteStore
    let account: Account
    /// As the user gave it, for commands that are printed for copying.
    let givenPath: String
    let now: Date

    init(_ place: DataDirectoryOptions, now: Date = Date()) async throws {
        directory = try DataDirectory.open(at: place.dataDirectory, now: now)
        store = try await directory.openStore()
        account = try await store.account()
        givenPath = place.dataDirectory
        self.now = now
    }

    /// A live tunnel by id or name.
    func tunnel(_ reference: String) async throws -> TunnelRecord {
        if let id = UUID(uuidString: reference) {
            if let tunnel = try await store.tunnel(id), tunnel.deletedAt == nil { return tunnel }
        } else if let tunnel = try await store.tunnels(TunnelFilter(name: reference), offset: 0, limit: 1).page.first {
            return tunnel
        }
        throw StoreError(
            .notFound, "there is no tunnel \"\(reference)\"; see `cloudflared-edge tunnel list --data-dir \(givenPath)`"
        )
    }

    /// All live tunnels.
    func liveTunnels() async throws -> [TunnelRecord] {
        var filter = TunnelFilter()
        filter.deleted = false
        return try await store.tunnels(filter, offset: 0, limit: .max).page
    }
}

/// What a command has to say: as text for people, or as JSON for scripts.
package struct Report: Sendable {
    package let text: String
    package let json: String
    /// What to do when nobody could read this, where doing the same again is not enough.
    private let remedy: String?

    init(_ text: String, json: some Encodable, ifUnread remedy: String? = nil) throws {
        self.text = text
        self.remedy = remedy
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        self.json = String(decoding: try encoder.encode(json), as: UTF8.self)
    }

    /// What is the same for people and scripts.
    init(text: String, json: String) {
        self.text = text
        self.json = json
        remedy = nil
    }

    /// - Throws: `HostError` when standard output does not take it.
    func print(as format: OutputFormat) throws {
        do {
            try StandardOutput.write(line: rendered(format))
        } catch {
            guard let remedy else { throw error }
            throw HostError(.file, remedy, cause: error)
        }
    }

    func rendered(_ format: OutputFormat) -> String {
        switch format {
        case .text: text
        case .json: json
        }
    }

    /// Rows under headings, each column as wide as its widest cell.
    static func table(_ headings: [String], _ rows: [[String]], empty: String) -> String {
        guard !rows.isEmpty else { return empty }
        let lines = [headings] + rows
        let widths = headings.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
                .trimmingCharacters(in: .whitespaces)
        }.joined(separator: "\n")
    }
}
