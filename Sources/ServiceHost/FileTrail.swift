import CDispatch
import Glibc

/// Where something must change before a path can lead to another file.
enum FileTrail {
    /// As many symbolic links as the kernel follows.
    private static let mostLinks = 40

    /// The directory of the file and of every symbolic link on the way to it. Where the way is broken, the last directory
    /// that exists takes their place: what is missing will appear there.
    static func directories(leadingTo path: String) -> Set<String> {
        var directories: Set<String> = []
        var current = path.hasPrefix("/") ? "/" : workingDirectory()
        var rest = components(of: path)
        var links = 0
        while let name = rest.popLast() {
            if name == "." { continue }
            if name == ".." {
                current = parent(of: current)
                continue
            }
            let next = current == "/" ? "/\(name)" : "\(current)/\(name)"
            var attributes = stat()
            guard lstat(next, &attributes) == 0 else {
                directories.insert(current)
                break
            }
            if attributes.st_mode & S_IFMT == S_IFLNK {
                directories.insert(current)
                links += 1
                guard links <= mostLinks, let target = target(of: next) else { break }
                rest += components(of: target)
                if target.hasPrefix("/") { current = "/" }
            } else {
                if rest.isEmpty { directories.insert(current) }
                current = next
            }
        }
        return directories
    }

    /// Last first, so that the next one can be taken from the end.
    private static func components(of path: String) -> [String] {
        path.split(separator: "/").reversed().map(String.init)
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    private static func target(of link: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            return readlink(link, start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }

    private static func workingDirectory() -> String {
        guard let name = getcwd(nil, 0) else { return "/" }
        defer { free(name) }
        return String(cString: name)
    }
}

/// Which file a path leads to, and which content it has: equal for two moments when nothing has to be read again.
struct FileIdentity: Equatable {
    private var numbers: [Int]

    /// Nil when there is no file.
    init?(_ path: String) {
        var attributes = stat()
        guard stat(path, &attributes) == 0 else { return nil }
        numbers = [
            Int(truncatingIfNeeded: attributes.st_dev), Int(truncatingIfNeeded: attributes.st_ino),
            Int(attributes.st_size), attributes.st_mtim.tv_sec, attributes.st_mtim.tv_nsec,
            attributes.st_ctim.tv_sec, attributes.st_ctim.tv_nsec,
        ]
    }
}
