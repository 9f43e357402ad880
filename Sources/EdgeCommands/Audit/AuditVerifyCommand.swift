package import ArgumentParser
import EdgeStore

/// `audit verify [FILE…]`: whether the log is what was written.
package struct AuditVerifyCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Look for lines of the audit log that were changed, removed or put elsewhere.",
        discussion: """
            Each line carries the hash of the one before. Who can write the data directory can forge the whole, so keep \
            the hash that this prints elsewhere: the line that had it must still be there.
            """)

    @Argument(
        help: ArgumentHelp("Rotated files, oldest first, before the log itself.", valueName: "FILE"))
    package var files: [String] = []

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func perform(_ administration: Administration) async throws -> Report {
        let log = administration.directory.path(of: .audit)
        let result = try AuditLog.verify(files, log: log)
        guard result.faults.isEmpty else {
            let shown = result.faults.prefix(10).map(\.description)
            let more = result.faults.count > 10 ? ["and \(result.faults.count - 10) more"] : []
            throw StoreError(
                .broken, "the audit log is not what was written: " + (shown + more).joined(separator: "; "))
        }
        return try Report(
            "\(result.lines) lines, unbroken\(result.isContinuation ? " since an earlier file" : "")\n"
                + "Hash of the last: \(result.head)",
            json: Verified(id: result.head, lines: result.lines, unbroken: true))
    }

    private struct Verified: Encodable {
        let id: String
        let lines: Int
        let unbroken: Bool
    }
}
