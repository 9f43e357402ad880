import Foundation

/// `listening.json` in the data directory: where a running edge listens. There while it does, gone afterwards.
package struct ListeningFile: Sendable {
    package let path: String

    package init(dataDirectory: String) {
        path = dataDirectory + "/listening.json"
    }

    /// Writes it in one step, so that a reader sees all of it or nothing.
    package func write(_ listening: EdgeServer.Listening) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            try (encoder.encode(listening) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw EdgeError(
                .configuration, "\(path) cannot be written; the edge must own its data directory", cause: error)
        }
    }

    package func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
