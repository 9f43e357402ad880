import Foundation

/// The files of this package as they lie on disk: what the house rules are checked against.
struct HouseTree {
    struct SourceFile {
        /// Path below the package root, such as `Sources/Edge/EdgeServer.swift`.
        let path: String
        let text: String
        /// The text with comments and string literals blanked out, line by line.
        let code: SwiftCode

        init(path: String, text: String) {
            self.path = path
            self.text = text
            self.code = SwiftCode(text)
        }

        var name: String { String(path.split(separator: "/").last ?? "") }
        /// The folder below `Sources` or `Tests`, which is the target's name.
        var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    let root: URL

    /// The package this test was built from.
    static let here = HouseTree(
        root: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent())

    private static let read = Result {
        (sources: try here.swiftFiles(below: "Sources"), tests: try here.swiftFiles(below: "Tests"))
    }
    /// Read once for all rules.
    static var sources: [SourceFile] { get throws { try read.get().sources } }
    static var tests: [SourceFile] { get throws { try read.get().tests } }

    func topLevelNames() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
    }

    /// Every Swift file below `folder`, in the order of their paths.
    private func swiftFiles(below folder: String) throws -> [SourceFile] {
        try FileManager.default.subpathsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            .filter { $0.hasSuffix(".swift") }
            .sorted()
            .map { path in
                SourceFile(
                    path: "\(folder)/\(path)",
                    text: try String(contentsOf: root.appendingPathComponent("\(folder)/\(path)"), encoding: .utf8))
            }
    }
}
